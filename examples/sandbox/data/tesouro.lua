-- Tesouro's side of the directory: a tree of organizations under the caller's bank, their users, and the big
-- organizations whose users are generated on demand.

local clock = require "sandbox.data.clock"
local json = require "sandbox.data.json"
local names = require "sandbox.data.names"
local random = require "sandbox.data.random"
local template = require "sandbox.data.template"

local tesouro = {}

local USERS = 3500
local null = json.null

local rank = json.rank { "id", "createdDateTime", "email", "isExpenseApprover", "name", "organizationId",
  "organizationName", "status", "department", "jobTitle", "lastLoggedInDateTime", "location", "role" }

-- The organizations ----------------------------------------------------------------------------------------------

local function uuid(number)
  return string.format("7e500000-0000-4000-8000-%012d", number)
end

-- Number, parent's number, type, name, share of the users, domain of their addresses.
local tree = {
  { 1, nil, "BANK", "First Meridian Bank", 10, "meridian-bank.example" },
  { 2, 1, "VERTICAL_SOFTWARE_PROVIDER", "Ledgerline Software", 12, "ledgerline.example" },
  { 3, 2, "EMBEDDED", 'Åkerlund & Søn "Betaling" A/S', 14, "akerlund.example" },
  { 4, 3, "TRANSACTOR", "Fiskebutikken", 5, "fisk.example" },
  { 5, 2, "EMBEDDED", "Ψηφιακές Πληρωμές", 9, "psifiakes.example" },
  { 6, 1, "PLATFORM", "北海道 Pay / 決済", 13, "hokkaido-pay.example" },
  { 7, 6, "EMBEDDED", "Café de l'Étoile", 8, "etoile.example" },
  { 8, 6, "TRANSACTOR", "Кофейня №1", 6, "kofe.example" },
  { 9, 7, "TRANSACTOR", "🚲 Bike\\Repair", 4, "bike.example" },
  { 10, 1, "VERTICAL_SOFTWARE_PROVIDER", "Saúde Systems", 11, "saude.example" },
  { 11, 10, "TRANSACTOR", "عيادة النور", 7, "noor.example" },
  { 12, 1, "PLATFORM", "Nobody Here Yet", 0, "nobody.example" },
}

-- What listings show of an organization: id, name, type, parent (nil for the caller's own).
tesouro.organizations = {}

-- An organization that exists, but that the caller may not see.
tesouro.foreign = { id = uuid(99), name = "Somebody Else's Bank", type = "BANK" }

local by_id = { [tesouro.foreign.id] = tesouro.foreign }
local domains, shares = {}, {}
for at, row in ipairs(tree) do
  local organization = { id = uuid(row[1]), name = row[4], type = row[3], parent = row[2] and uuid(row[2]) }
  tesouro.organizations[at] = organization
  by_id[organization.id] = organization
  domains[organization] = row[6]
  for _ = 1, row[5] do shares[#shares + 1] = organization end
end

-- The id of the caller's own organization.
tesouro.root = uuid(1)

-- The organization without members is disabled.
local DISABLED = uuid(12)

local function describe(organization)
  return {
    id = organization.id,
    detailsUrl = "https://api.tesouro.com/identity/v1/organizations/" .. organization.id,
    displayName = organization.name,
    isEnabled = organization.id ~= DISABLED,
    types = { organization.type },
  }
end

-- The organizations below the caller's that a listing returns, in its order. Filter: `status` (default "ACTIVE"; "ALL"
-- for every one), `type`, `parent` (direct children of that one), `id` (that one, its children and its parent).
function tesouro.related(filter)
  filter = filter or {}
  local list, status = {}, filter.status or "ACTIVE"
  local parent = filter.id and by_id[filter.id] and by_id[filter.id].parent
  for _, organization in ipairs(tesouro.organizations) do
    local related = organization.id ~= tesouro.root
    if filter.parent then related = organization.parent == filter.parent end
    if filter.id then
      related = organization.id == filter.id or organization.parent == filter.id or organization.id == parent
    end
    local wanted = status == "ALL" or (organization.id ~= DISABLED) == (status == "ACTIVE")
    if related and wanted and (not filter.type or organization.type == filter.type) then
      list[#list + 1] = describe(organization)
    end
  end
  return list
end

-- Whether organization `id` is `ancestor` or below it.
local function below(id, ancestor)
  while id and id ~= ancestor do id = by_id[id].parent end
  return id ~= nil
end

-- The users ------------------------------------------------------------------------------------------------------

local statuses = { "ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "INACTIVE", "INACTIVE",
  "INVITED" }
local roles = { "ADMIN", "ACCOUNTANT", "EXPENSE_APPROVER", "EMPLOYEE", "EMPLOYEE", "VIEWER" }
local departments = { "Finance", "Engineering", "R&D / Лаборатория", "Vente & après-vente", "経理部", "Support", "Legal" }
local places = { "Oslo", "São Paulo", "東京", "Αθήνα", "תל אביב", "New York / NY", "Łódź" }
local titles = { "Controller", "Head of \"Everything\"", "Développeuse", "会計士", "Ingeniør", "Clerk", "CFO" }

-- One of the named things, as {id, name}; sometimes null, {} or absent.
local function reference(generator, list, first)
  local kind = generator:int(20)
  if kind <= 2 then return nil end
  if kind <= 4 then return null end
  if kind == 5 then return {} end
  local at = generator:int(#list)
  return { id = uuid(first + at), name = list[at] }
end

local function make_user(generator, number)
  local organization = generator:pick(shares)
  local status = generator:pick(statuses)
  local seen = generator:int(40) <= 20 and generator:int(30) * clock.DAY or generator:int(2200) * clock.DAY
  seen = seen + generator:int(clock.DAY)
  local created = seen + generator:int(1500 * clock.DAY)
  local user = {
    id = generator:uuid(number),
    createdDateTime = clock.ago(created, generator:chance(20) and generator:int(999) or nil),
    email = names.email(generator, number, domains[organization]),
    name = names.hard[number] or names.person(generator),
    organizationId = organization.id,
    organizationName = organization.name,
    status = status,
    department = reference(generator, departments, 1000),
    lastLoggedInDateTime = clock.ago(seen, generator:chance(20) and generator:int(999) or nil),
    location = reference(generator, places, 2000),
    role = generator:pick(roles),
  }
  if not generator:chance(4) then user.isExpenseApprover = generator:chance(30) end
  if not generator:chance(15) then user.jobTitle = generator:chance(10) and null or generator:pick(titles) end
  if status == "INVITED" then
    user.lastLoggedInDateTime = null
    if generator:chance(50) and number > #names.hard then user.name = null end
  elseif generator:chance(5) then
    user.lastLoggedInDateTime = nil
  end
  return user
end

local all_users, all_texts

local function generate()
  local generator = random.new(20231107)
  all_users, all_texts = {}, {}
  for number = 1, USERS do
    all_users[number] = make_user(generator, number)
    all_texts[number] = json.write(all_users[number], json.random_style(generator, rank))
  end
end

-- The big organizations ------------------------------------------------------------------------------------------

local BIG_ID = "99999999-0000-4000-8000-%012d"
local BIG_PATTERN = "^99999999%-0000%-4000%-8000%-(%d%d%d%d%d%d%d%d%d%d%d%d)$"
local BIG_TYPE = "TRANSACTOR"
local VARIANTS = 10    -- users number i and i + VARIANTS differ only in their numbers

-- The id of the organization of `count` users.
function tesouro.big_organization(count)
  return BIG_ID:format(count)
end

-- User of organization `count` whose number, twelve digits, is `digits`.
local function make_big_user(count, variant, digits)
  local generator = random.new(4000 + variant)
  return {
    id = string.format("%08d-7e50-4000-8000-%s", count % 100000000, digits),
    createdDateTime = clock.ago((400 + generator:int(2000)) * clock.DAY + generator:int(clock.DAY)),
    email = string.format("user.%s@n%d.big.example", digits, count),
    isExpenseApprover = generator:chance(30),
    name = names.person(generator),
    organizationId = BIG_ID:format(count),
    organizationName = "Big Organization",
    status = "ACTIVE",
    department = { id = uuid(1000 + variant), name = generator:pick(departments) },
    jobTitle = generator:pick(titles),
    lastLoggedInDateTime = clock.ago(generator:int(400) * clock.DAY + generator:int(clock.DAY)),
    location = { id = uuid(2000 + variant), name = generator:pick(places) },
    role = generator:pick(roles),
  }
end

local big_templates = template.cache(function(count)
  local templates = {}
  for variant = 0, VARIANTS - 1 do
    local style = { escape = variant % 5 == 4 and "lower" or "raw", space = "compact", order = "schema", rank = rank }
    templates[variant] = template.cut(json.write(make_big_user(count, variant, template.HOLE), style))
  end
  return templates
end)

-- User number `number` (from 1) of the organization of `count` users, and its JSON text.
function tesouro.big_user(count, number)
  local digits, variant = string.format("%012d", number), number % VARIANTS
  return make_big_user(count, variant, digits), table.concat(big_templates(count)[variant], digits)
end

-- Functions for the server ---------------------------------------------------------------------------------------

-- The organization with this id, whether or not the caller may see it (`visible`), or nil.
function tesouro.organization(id)
  local organization = by_id[id]
  if organization then
    return { id = id, name = organization.name, type = organization.type, visible = organization ~= tesouro.foreign }
  end
  local count = id:match(BIG_PATTERN)
  if count then
    return { id = id, name = "Big Organization", type = BIG_TYPE, visible = true, count = tonumber(count) }
  end
end

-- All users of a big organization are active and of its own type.
local function big_count(organization, filter)
  local status = filter.status or "ACTIVE"
  local matches = (status == "ACTIVE" or status == "ALL")
    and (filter.organization_type or organization.type) == organization.type
  return matches and organization.count or 0
end

-- The users that a listing returns, in its order, and a list with the JSON text of each; those of a big organization
-- are generated for each call. Filter: `organization_id` (default the root), `organization_type`, `status` (default
-- "ACTIVE"; "ALL" for every one).
function tesouro.users(filter)
  filter = filter or {}
  local ancestor, status = filter.organization_id or tesouro.root, filter.status or "ACTIVE"
  local organization = assert(tesouro.organization(ancestor), "no such organization")
  local users, texts = {}, {}
  if organization.count then
    for number = 1, big_count(organization, filter) do
      users[number], texts[number] = tesouro.big_user(organization.count, number)
    end
    return users, texts
  end
  if not all_users then generate() end
  for at, user in ipairs(all_users) do
    if below(user.organizationId, ancestor)
      and (status == "ALL" or user.status == status)
      and (not filter.organization_type or by_id[user.organizationId].type == filter.organization_type) then
      users[#users + 1], texts[#texts + 1] = user, all_texts[at]
    end
  end
  return users, texts
end

local function big_listing(organization, filter)
  return {
    count = big_count(organization, filter),
    -- One concatenation per page: LuaJIT hashes only a few bytes of a string, so thousands of texts that differ in some
    -- digits would all be in one chain of its string table.
    join = function(first, last, separator)
      local templates, parts, at = big_templates(organization.count), {}, 0
      for number = first, last do
        local pieces, digits = templates[number % VARIANTS], string.format("%012d", number)
        for nth = 1, #pieces do
          parts[at + 1], parts[at + 2] = pieces[nth], digits
          at = at + 2
        end
        parts[at] = separator
      end
      parts[at] = nil
      return table.concat(parts)
    end,
  }
end

-- The same users as text: { count, join(first, last, separator) }, for a fixed organization and a big one.
function tesouro.listing(filter)
  local organization = tesouro.organization(filter.organization_id or tesouro.root)
  if organization.count then return big_listing(organization, filter) end
  local _, texts = tesouro.users(filter)
  return {
    count = #texts,
    join = function(first, last, separator) return table.concat(texts, separator, first, last) end,
  }
end

return tesouro
