-- Dintero's side of the directory: a few accounts with their users, and the big accounts whose users are generated on
-- demand.

local clock = require "sandbox.data.clock"
local json = require "sandbox.data.json"
local names = require "sandbox.data.names"
local random = require "sandbox.data.random"
local template = require "sandbox.data.template"

local dintero = {}

local null = json.null

local rank = json.rank { "email", "id", "created_at", "created_by", "updated_at", "deleted_by", "deleted_at", "name",
  "scope", "authentication_type", "agreement", "roles", "last_seen_at", "configuration", "version",
  "personal_guarantee_accepted", "attachments", "description" }

-- The fixed accounts: id and number of users.
dintero.accounts = {
  { id = "T12345678", count = 1200 },
  { id = "P87654321", count = 320 },
  { id = "P321", count = 45 },
  { id = "T123", count = 3 },
  { id = "P11111111", count = 0 },
}

-- A partner's account, with an id of Dintero's form, and its merchants': id and number of users.
dintero.partner = { id = "T12300000", count = 2 }
dintero.merchants = {}
for number = 1, 23 do
  dintero.merchants[number] = { id = string.format("T123%05d", number), count = number % 7 * number }
end

-- The users ------------------------------------------------------------------------------------------------------

local STAFF = { "1c92f7e1-2897-4d46-bdcc-c127a914fb4e", "3c90c3cc-0d44-4b50-8888-8dd25736052a" }

local catalog = {
  { name = "order support", description = "Administrate orders",
    scope = { "read:accounts", "read:billing", "admin:shopping" } },
  { name = "Økonomi", description = "Read billing / settlements", scope = { "read:billing" } },
  { name = "管理者", description = null, scope = { "admin:accounts", "admin:shopping" } },
  { name = 'the "other" role', description = "", scope = {} },
  { name = "Финансы", scope = { "read:settlements", "read:reports" } },
}

-- Dates of the last day, month, year and earlier, and also null and no date.
local function last_seen(generator)
  local kind = generator:int(100)
  if kind <= 8 then return nil end
  if kind <= 20 then return null end
  local days = kind <= 30 and 1 or kind <= 60 and generator:int(30) or kind <= 80 and generator:int(365)
    or 365 + generator:int(2500)
  return clock.ago(days * clock.DAY + generator:int(clock.DAY), generator:chance(20) and generator:int(999) or nil)
end

local function make_roles(generator)
  local roles = json.array {}
  for at = 1, generator:int(4) - 1 do
    local number = (generator:int(#catalog) + at) % #catalog + 1
    local role = catalog[number]
    roles[at] = {
      id = string.format("d14e0000-0000-4000-8000-%012d", number),
      name = role.name,
      description = role.description,
      scope = json.array(role.scope),
      created_at = clock.ago((2000 + number) * clock.DAY),
      created_by = STAFF[1],
      updated_at = generator:chance(50) and clock.ago((1000 + number) * clock.DAY) or nil,
      deleted_by = generator:chance(20) and null or nil,
      deleted_at = generator:chance(20) and null or nil,
    }
  end
  return roles
end

local function make_agreement(generator)
  local kind = generator:int(10)
  if kind <= 3 then return nil end
  if kind == 4 then return null end
  if kind == 5 then return {} end
  local attachments = json.array {}
  for at = 1, generator:int(4) - 1 do
    attachments[at] = { name = generator:pick { "Cookie Policy", "Vilkår / Terms", "個人情報" },
      version = generator:pick { "1.0", "2024-03", "" } }
  end
  return { name = "Terms of Service", version = generator:pick { "1.2", "2.0-β" },
    personal_guarantee_accepted = generator:chance(50), attachments = attachments }
end

local function make_factor(generator, enabled)
  return { enabled = enabled, updated_at = clock.ago(generator:int(900) * clock.DAY) }
end

-- Both factors, one or none of them enabled; or a configuration without factors, or none.
local function make_configuration(generator)
  local kind = generator:int(12)
  if kind <= 2 then return nil end
  if kind == 3 then return null end
  if kind == 4 then return {} end
  if kind == 5 then return { mfa = {} } end
  if kind == 6 then return { mfa = null } end
  if kind <= 8 then return { mfa = { sms = make_factor(generator, true) } } end
  if kind == 9 then return { mfa = { sms = null, totp = make_factor(generator, false) } } end
  local sms, totp = generator:chance(50), generator:chance(50)
  return { mfa = { sms = make_factor(generator, sms), totp = make_factor(generator, totp) } }
end

local function make_user(generator, number, domain)
  local created = (2900 + generator:int(900)) * clock.DAY + generator:int(clock.DAY)
  local user = {
    email = names.email(generator, number, domain),
    id = generator:uuid(number),
    created_at = clock.ago(created),
    name = names.hard[number] or names.person(generator),
    authentication_type = generator:pick { "password", "google", "microsoft", "bankid" },
    agreement = make_agreement(generator),
    last_seen_at = last_seen(generator),
    configuration = make_configuration(generator),
  }
  if not generator:chance(10) then user.created_by = generator:chance(10) and null or generator:pick(STAFF) end
  if not generator:chance(20) then user.updated_at = clock.ago(generator:int(900) * clock.DAY) end
  if not generator:chance(10) then
    user.scope = json.array {}
    for at = 1, generator:int(3) - 1 do
      user.scope[at] = generator:pick { "receipts:write", "read:accounts", "admin:accounts" }
    end
  end
  if number > #names.hard and generator:chance(6) then user.name = generator:chance(50) and null or nil end
  if generator:chance(7) then
    user.deleted_at, user.deleted_by = clock.ago(generator:int(800) * clock.DAY), generator:pick(STAFF)
  elseif generator:chance(20) then
    user.deleted_at, user.deleted_by = null, null
  end
  return user
end

local function with_roles(user, roles)
  local copy = {}
  for field, value in pairs(user) do copy[field] = value end
  copy.roles = roles
  return copy
end

-- An account's users with and without their roles: { plain = { users, texts }, expanded = … }.
local generated = {}

local function generate(account)
  local generator = random.new(account.count + 17)
  local plain, expanded = { users = {}, texts = {} }, { users = {}, texts = {} }
  for number = 1, account.count do
    local user = make_user(generator, number, account.id:lower() .. ".example")
    local full = with_roles(user, make_roles(generator))
    local style = json.random_style(generator, rank)
    plain.users[number], plain.texts[number] = user, json.write(user, style)
    expanded.users[number], expanded.texts[number] = full, json.write(full, style)
  end
  generated[account.id] = { plain = plain, expanded = expanded }
  return generated[account.id]
end

-- Whether `search` is part of the user's email or name; ASCII letters match in either case.
local function matches(user, search)
  return user.email:lower():find(search, 1, true) ~= nil
    or type(user.name) == "string" and user.name:lower():find(search, 1, true) ~= nil
end

-- The big accounts -----------------------------------------------------------------------------------------------

local BLOCK = 100    -- users whose numbers differ only in the last two digits

-- The id of the account of `count` users.
function dintero.big_account(count)
  return string.format("T9%07d", count)
end

local function make_big_user(count, digits, variant, expand)
  local generator = random.new(7000 + variant)
  local user = make_user(generator, 1000 + variant, "unused.example")
  user.id = string.format("%08d-d14e-4000-8000-00000%s", count, digits)
  user.email = string.format("user%s@n%d.big.example", digits, count)
  return expand and with_roles(user, make_roles(generator)) or user
end

local function big_style(variant)
  return { escape = variant % 10 == 9 and "lower" or "raw", space = "compact", order = "schema", rank = rank }
end

-- User number `number` (from 1) of the account of `count` users, and its JSON text.
function dintero.big_user(count, number, expand)
  local variant = number % BLOCK
  local user = make_big_user(count, string.format("%07d", number), variant, expand)
  return user, json.write(user, big_style(variant))
end

-- The text of a whole block, in pieces between which the leading five digits of its users' numbers go.
local big_blocks = template.cache(function(key)
  local count, expand = key:match "^(%d+)(.*)$"
  local texts = {}
  for variant = 0, BLOCK - 1 do
    local digits = template.HOLE .. string.format("%02d", variant)
    texts[variant + 1] = json.write(make_big_user(tonumber(count), digits, variant, expand ~= ""), big_style(variant))
  end
  return template.cut(table.concat(texts, ","))
end)

-- Calls write(text) with the users of the account of `count` users, in order, separated by commas, some 50 KB at a
-- time, as long as it returns true.
function dintero.big_stream(count, expand, write)
  local pieces = big_blocks(count .. (expand and "+" or ""))
  local number, comma = 1, ""
  while number <= count do
    local text
    if number % BLOCK == 0 and number + BLOCK - 1 <= count then
      text = table.concat(pieces, string.format("%05d", number / BLOCK))
      number = number + BLOCK
    else
      local _
      _, text = dintero.big_user(count, number, expand)
      number = number + 1
    end
    if not write(comma .. text) then return end
    comma = ","
  end
end

-- Like big_stream, for the users that a search finds; between them, write("") checks that the reader is still there.
local function big_search(count, expand, search, write)
  local comma = ""
  for number = 1, count do
    local user, text = dintero.big_user(count, number, expand)
    if matches(user, search) then
      if not write(comma .. text) then return end
      comma = ","
    elseif number % 1000 == 0 and not write "" then
      return
    end
  end
end

-- The merchants and the roles ------------------------------------------------------------------------------------

-- The merchants' accounts of a partner, in order; an empty list for any other account.
function dintero.merchants_of(id)
  local list = {}
  for number, account in ipairs(id == dintero.partner.id and dintero.merchants or {}) do
    local generator = random.new(300 + number)
    list[number] = {
      account_id = account.id,
      partner_id = "T123",
      active = not generator:chance(20),
      livemode = false,
      company = {
        business_name = string.format("%s %d",
          generator:pick { "Fjord & Sønner AS", 'Kaffe "Nord"', "北のパン屋", "Zażółć Sp. z o.o." }, number),
        organization_number = string.format("%09d", 910000000 + number),
        address = { country = generator:pick { "NO", "SE", "DK" } },
      },
      paging_token = string.format("pt/%d+%d=", number, generator:int(1000)),
    }
  end
  return list
end

-- The roles of an account, in order: those that its users have, and more of its own.
function dintero.roles(id)
  local list = {}
  for number = 1, #catalog + dintero.account(id).count % 50 do
    local role = catalog[number] or { name = "role " .. number, scope = { "read:accounts" } }
    list[number] = {
      id = string.format("d14e0000-0000-4000-8000-%012d", number),
      name = role.name,
      description = role.description,
      scope = json.array(role.scope),
      created_at = clock.ago((2000 + number) * clock.DAY),
      created_by = STAFF[1],
      deleted_at = number % 9 == 0 and clock.ago(number * clock.DAY) or nil,
    }
  end
  return list
end

-- The JSON text of one of these.
function dintero.write(object)
  return json.write(object, { escape = "raw", space = "compact", order = "schema", rank = rank })
end

-- Functions for tests and the server -----------------------------------------------------------------------------

-- The account with this id as { id, count, big }, or nil.
function dintero.account(id)
  for _, list in ipairs { dintero.accounts, { dintero.partner }, dintero.merchants } do
    for _, account in ipairs(list) do
      if account.id == id then return account end
    end
  end
  local count = id:match "^T9(%d%d%d%d%d%d%d)$"
  if count then return { id = id, count = tonumber(count), big = true } end
end

local function big_users(account, expand)
  local listed = { users = {}, texts = {} }
  for number = 1, account.count do
    listed.users[number], listed.texts[number] = dintero.big_user(account.count, number, expand)
  end
  return listed
end

-- The users of an account, in order, and a list with the JSON text of each; those of a big account are generated for
-- each call. Query: `expand_roles` (users have their roles), `search` (part of an email or name).
function dintero.users(id, query)
  query = query or {}
  local account = assert(dintero.account(id), "no such account")
  local both = not account.big and (generated[id] or generate(account))
  local listed = both and (query.expand_roles and both.expanded or both.plain)
    or big_users(account, query.expand_roles)
  if not query.search then return listed.users, listed.texts end
  local users, texts, search = {}, {}, query.search:lower()
  for at, user in ipairs(listed.users) do
    if matches(user, search) then users[#users + 1], texts[#texts + 1] = user, listed.texts[at] end
  end
  return users, texts
end

-- The same for a big account: calls write(text) with its users' texts, separated by commas, until that returns false.
function dintero.stream(id, query, write)
  local account = dintero.account(id)
  if query.search then return big_search(account.count, query.expand_roles, query.search:lower(), write) end
  return dintero.big_stream(account.count, query.expand_roles, write)
end

return dintero
