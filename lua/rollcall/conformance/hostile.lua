-- The conformance kit's tests of a provider: servers of the declared shape, each of which behaves in some way that
-- servers do. A case has a name, when it does not apply, and what it does; it raises by `need` if something does not
-- hold.

local declared = require "rollcall.paging.declared"
local declared_answer = require "rollcall.http.declared_answer"
local directory = require "rollcall.conformance.directory"
local document = require "rollcall.conformance.document"
local sample = require "rollcall.conformance.sample"
local secrets = require "rollcall.auth.secret"
local tables = require "rollcall.tables"

local hostile = {}

---@class rollcall.ConformanceCase
---@field name string
---@field skip (fun(kit: table): string?)? why it does not apply to this collection
---@field run fun(kit: table)

-- Users a page, if the request can say so.
local SIZE = 3

--- Raises unless it holds.
local function need(holds, format, ...)
  if not holds then
    error({ message = format:format(...) }, 0)
  end
end

local function show(ids)
  local most = 12
  local text = table.concat(ids, " ", 1, math.min(#ids, most))
  return #ids == 0 and "nobody" or text .. (#ids > most and (" and %d more"):format(#ids - most) or "")
end

local function ids_of(first, last)
  local list = {}
  for number = first, last, first <= last and 1 or -1 do
    list[#list + 1] = directory.id(number)
  end
  return list
end

--- Raises what went wrong in a walk that should succeed.
local function need_success(api, walked)
  need(#api.complaints == 0, "the server complains: %s", table.concat(api.complaints, "; "))
  need(not walked.err, "%s", tostring(walked.err))
end

local function need_users(api, walked, expected)
  need_success(api, walked)
  need(table.concat(walked.ids, " ") == table.concat(expected, " "), "expected %s, got %s", show(expected),
    show(walked.ids))
end

--- The walk must end with an error of that kind, which shows no secrets.
local function need_failure(kit, walked, kind)
  need(walked.err, "it ended well, with %s; expected an error of kind %s", show(walked.ids), kind)
  need(walked.err.kind == kind, "expected an error of kind %s, got: %s", kind, tostring(walked.err))
  for _, name in ipairs(secrets.names) do
    for _, text in pairs(walked.err) do
      need(type(text) ~= "string" or not kit.secrets[name] or not text:find(kit.secrets[name], 1, true),
        "the error shows the secret %s: %s", name, text)
    end
  end
end

--- No user may come twice.
local function need_once(walked)
  local seen = {}
  for _, id in ipairs(walked.ids) do
    need(not seen[id], "%s came twice", id)
    seen[id] = true
  end
end

--- The page size of walks and servers; a server has it also if a walk cannot ask for it.
local function size_of(kit)
  return kit.paging.size and math.min(SIZE, kit.paging.max_size or SIZE) or SIZE
end

local function with_size(kit, query)
  return tables.with({ page_size = kit.paging.size and size_of(kit) or nil }, query or {})
end

--- A server with this plan.
local function serve(kit, plan)
  plan.size = size_of(kit)
  return directory.new(kit.setup, plan)
end

--- One walk over a server.
local function go(kit, api, query, most)
  return kit.walks:walk(function(request)
    return api:handle(request)
  end, with_size(kit, query), most)
end

--- One walk over a server with this plan.
local function walk(kit, plan, query, most)
  local api = serve(kit, plan)
  return go(kit, api, query, most), api
end

--- The key that distinguishes requests.
local function key_of(kit, request)
  local header = kit.paging.header and request.headers[kit.paging.header:lower()]
  return table.concat({ request.target, request.body, header }, "\n")
end

local function is(kit, ...)
  for i = 1, select("#", ...) do
    if kit.paging.type == select(i, ...) then
      return true
    end
  end
  return false
end

local function not_for_one_body(kit)
  return is(kit, "none") and "everything is in one body" or nil
end

local function not_linked(kit)
  return not is(kit, "link", "next_url") and "its pages have no links" or nil
end

--- The usual ends of a walk by cursors or URLs that are not declared.
local function no_ends(kit)
  local known, list = {}, {}
  for _, ending in ipairs(directory.endings(kit.paging)) do
    known[ending] = true
  end
  for _, ending in ipairs { "null", "absent", "blank" } do
    if not known[ending] and not (ending == "null" and type(kit.paging.next) == "table") then
      list[#list + 1] = ending
    end
  end
  return list
end

local cases = {}
hostile.cases = cases

local function case(name, skip, run)
  cases[#cases + 1] = { name = name, skip = skip or nil, run = run }
end

case("gives every user once, in order, however far it fetches ahead", nil, function(kit)
  local size = size_of(kit)
  for _, count in ipairs { 3 * size + 1, 3 * size, 1 } do
    for _, prefetch in ipairs { 0, 1, 4 } do
      local walked, api = walk(kit, { count = count }, { prefetch = prefetch })
      need_users(api, walked, ids_of(1, count))
      local asked, known = #api.log, {}
      for _, one in ipairs(api.log) do
        local key = key_of(kit, one.request)
        need(not known[key] or prefetch > 1, "it asked twice for %s", one.request.target)
        known[key] = true
      end
      if prefetch == 0 then
        local pages = math.ceil(count / size)
        -- If nothing marks the last page, an empty one does.
        local spare = directory.ends_empty(kit.paging) and 1 or 0
        need(is(kit, "none") or asked <= pages + spare, "%d users in %d pages took %d requests", count, pages, asked)
      end
    end
  end
end)

case("asks for the largest page by default", function(kit)
  return not kit.paging.max_size and "it declares no max_size" or nil
end, function(kit)
  local api = directory.new(kit.setup, { count = 2 })
  local walked = kit.walks:walk(function(request)
    return api:handle(request)
  end)
  need_users(api, walked, ids_of(1, 2))
  local size = api:read(api.log[1].request, kit.paging.size)
  need(size == ("%d"):format(kit.paging.max_size), "expected %d, got %s", kit.paging.max_size, tostring(size))
end)

case("sends each filter in its place", function(kit)
  return not next(kit.collection.filters or {}) and "it has no filters" or nil
end, function(kit)
  for _, name in ipairs(tables.keys(kit.collection.filters)) do
    local filter = kit.collection.filters[name]
    local value = kit.setup.query[name]
    if value == nil then
      value = sample.of_filter(filter)
    end
    if value ~= nil and not filter.path then
      local walked, api = walk(kit, { count = 2 }, { [name] = value })
      need_users(api, walked, ids_of(1, 2))
      local place = filter.list == "bracket" and filter.query .. "[]" or filter
      local sent = api:read(api.log[1].request, place)
      local one = type(value) == "table" and value[1] or value
      sent = type(sent) == "table" and sent[1] or sent
      need(tostring(sent) == tostring(one) or tostring(sent):find(tostring(one), 1, true) == 1,
        "%s: expected %s, got %s", name, tostring(one), tostring(sent))
    end
  end
end)

case("takes an empty directory for one", nil, function(kit)
  local walked, api = walk(kit, { count = 0 })
  need_users(api, walked, {})
  for _, instead in ipairs(kit.collection.items ~= "" and { "absent", "null" } or {}) do
    if kit.paging.total or declared.has(kit.collection.empty, instead) then
      walked = walk(kit, { count = 0, instead = instead })
      need(not walked.err, "with an array that is %s: %s", instead, tostring(walked.err))
    end
  end
  for _, one in ipairs(declared_answer.among(kit.collection.empty)) do
    walked = walk(kit, { count = 2, answer = function()
      return { status = one.status, body = document.encode { message = one.message } }
    end })
    need(not walked.err, "answered %d, %s: %s", one.status, one.message, tostring(walked.err))
  end
end)

case("ends as declared, by each of its ends", not_for_one_body, function(kit)
  local endings = directory.endings(kit.paging)
  need(#endings > 0, "nothing that it declares ends a walk: paging.ends")
  local count = 2 * size_of(kit) + 1
  for _, ending in ipairs(endings) do
    local walked, api = walk(kit, { count = count, ending = ending })
    need(not walked.err, "%s does not end it: %s", ending, tostring(walked.err))
    need_users(api, walked, ids_of(1, count))
  end
  if is(kit, "page", "offset") then -- a server that does not mark the end
    local walked, api = walk(kit, { count = count, is_silent = true })
    need_users(api, walked, ids_of(1, count))
  end
end)

case("ends by nothing else", function(kit)
  if not is(kit, "cursor", "next_url") then
    return "its pages name no token"
  end
  return #no_ends(kit) == 0 and "whatever is no token is an end" or nil
end, function(kit)
  for _, ending in ipairs(no_ends(kit)) do
    local walked = walk(kit, { count = 2, ending = ending, is_unsure = true })
    need(walked.err, "%s ended it, which is none of its ends", ending)
  end
end)

case("goes on behind empty pages", function(kit)
  local paging = kit.paging
  if is(kit, "none") then
    return "everything is in one body"
  elseif is(kit, "after") then
    return "an empty page has no item that leads on: it is the end"
  elseif directory.ends_empty(paging) or directory.ends_short(paging) then
    return "it declares that an empty page is the last one"
  elseif is(kit, "page", "offset") and not paging.size and not (is(kit, "page") and (paging.more or paging.last
      or paging.pages)) then
    return "without a page size nobody knows how far an empty page goes"
  elseif is(kit, "offset") and paging.last and not paging.total and not paging.size then
    return "without a page size nobody knows how far an empty page goes"
  end
end, function(kit)
  local size = size_of(kit)
  local hidden = { [1] = true, [3] = true, [4] = true }
  local visible = {}
  for number = 1, 6 * size do
    if not hidden[math.ceil(number / size)] then
      visible[#visible + 1] = directory.id(number)
    end
  end
  local walked, api = walk(kit, { count = 6 * size, slot = function(number)
    return not hidden[math.ceil(number / size)] and number or nil
  end })
  need_users(api, walked, visible)
end)

case("takes fewer users than it asked for", function(kit)
  if directory.ends_short(kit.paging) then
    return "it declares that a short page is the last one"
  elseif kit.paging.step then
    return "it declares that the server keeps to the size"
  elseif size_of(kit) < 2 then
    return "its pages have one user"
  end
  return not_for_one_body(kit)
end, function(kit)
  local size = size_of(kit)
  for _, prefetch in ipairs { 0, 1, 4 } do
    local walked, api = walk(kit, { count = 3 * size, cap = size - 1 }, { prefetch = prefetch })
    need_users(api, walked, ids_of(1, 3 * size))
  end
end)

case("loses nobody where users move to another page while it walks", function(kit)
  return size_of(kit) < 2 and "its pages have one user" or nil
end, function(kit)
  local size = size_of(kit)
  local row = {}
  for number = 1, 3 * size do
    row[#row + 1] = number
    if number == size or number == 2 * size + 1 then
      row[#row + 1] = number -- at the end of a page and at the beginning of the next one; and twice in one page
    end
  end
  local walked, api = walk(kit, { count = #row, slot = function(number)
    return row[number]
  end })
  need_success(api, walked)
  local seen = {}
  for _, id in ipairs(walked.ids) do
    seen[id] = true
  end
  for number = 1, 3 * size do
    need(seen[directory.id(number)], "%s is missing", directory.id(number))
  end
end)

case("calls pages that come again a loop, at any distance", not_for_one_body, function(kit)
  local size = size_of(kit)
  for _, distance in ipairs { 1, 2, 7 } do
    local pages = distance + 2
    local plan = { count = pages * size }
    if is(kit, "page", "offset") then
      plan.count = math.huge
      plan.slot = function(number)
        return number <= pages * size and number or (number - 2 * size - 1) % (distance * size) + 2 * size + 1
      end
    else
      plan.leads = function(_, following)
        return following or (pages - distance) * size
      end
      if is(kit, "after") then
        plan.count = (pages + distance) * size
        plan.slot = function(number)
          return number <= pages * size and number or number - distance * size
        end
      end
    end
    local walked = walk(kit, plan)
    need_failure(kit, walked, "loop")
    need_once(walked)
    need(#walked.ids == pages * size,
      "a loop of %d pages behind page %d: expected the %d users of the first pages, got %d",
      distance, pages, pages * size, #walked.ids)
  end
end)

case("calls it a loop where the server does not know the parameter", function(kit)
  return (is(kit, "none") and "everything is in one body")
    or (is(kit, "link", "next_url") and "the server makes the links itself") or nil
end, function(kit)
  for _, prefetch in ipairs { 0, 1, 4 } do
    local walked = walk(kit, { count = 4 * size_of(kit), ignores = true }, { prefetch = prefetch })
    need_failure(kit, walked, "loop")
    if size_of(kit) > 1 then -- a page of one user is not recognized
      need_once(walked)
    end
  end
end)

case("fetches bodies that break off again, and gives every user once", nil, function(kit)
  local count = 3 * size_of(kit) + 1
  for _, share in ipairs { 0.4, 0.9 } do
    local broken = {}
    local walked, api = walk(kit, { count = count, answer = function(response, _, request)
      local key = key_of(kit, request)
      if not broken[key] then
        broken[key] = true
        response.cut = math.floor(#response.body * share)
      end
      return response
    end })
    need_users(api, walked, ids_of(1, count))
  end
end)

case("tries again where the server is in trouble", nil, function(kit)
  local count = 2 * size_of(kit)
  local walked, api = walk(kit, { count = count, answer = function(response, number)
    if number == 1 or number == 3 then
      return { status = number == 1 and 500 or 503, type = "text/html", body = "<html>busy</html>" }
    end
    return response
  end })
  need_users(api, walked, ids_of(1, count))
end)

case("waits after 429 as Retry-After says", function(kit)
  return not kit.is_first and "the first collection's client is the same" or nil
end, function(kit)
  local walked, api = walk(kit, { count = 2, answer = function(response, number)
    return number > 1 and response or { status = 429, headers = { "Retry-After: 1" }, body = '{"message":"slowly"}' }
  end })
  need_users(api, walked, ids_of(1, 2))
  need(walked.seconds >= 1, "it waited only %.2f seconds", walked.seconds)
end)

case("is refused with an error, and shows no secret", nil, function(kit)
  for _, status in ipairs { 401, 403 } do
    local walked = walk(kit, { count = 2, answer = function()
      return { status = status, body = '{"message":"no"}' }
    end })
    need_failure(kit, walked, "auth")
    need(#walked.ids == 0, "%s came", show(walked.ids))
  end
end)

case("gets another token where one expires", function(kit)
  return ((kit.setup.provider.auth or {}).type ~= "client_credentials" or kit.secrets.token)
    and "its tokens are the script's own" or not_for_one_body(kit)
end, function(kit)
  local count = 5 * size_of(kit)
  local walked, api = walk(kit, { count = count, lifetime = 2 })
  need_users(api, walked, ids_of(1, count))
  need(api.tokens_given > 1, "it got %d", api.tokens_given)
end)

case("sends tokens back to the letter, however odd and long", function(kit)
  return not is(kit, "cursor", "after") and "its pages have no tokens" or nil
end, function(kit)
  local count = 3 * size_of(kit)
  local odd = kit.paging.header and 'a b+c/d=&e%20?#"\\<>;,{}|^`~' or 'a b+c/d=&e%20?#"\\<>;,{}|^`~ø管\240\159\152\128'
  local longest = kit.paging.body and 60000 or 4000
  for _, text in ipairs { odd, ("x"):rep(longest), "0", "null", "-1" } do
    local walked, api = walk(kit, { count = count, token = function(number)
      return text .. (number > 9 and number or "0" .. number)
    end })
    need_success(api, walked)
    need(#walked.ids == count, "expected %d users, got %d", count, #walked.ids)
  end
  if is(kit, "cursor") and type(kit.paging.next) == "string" then
    -- Numbers that no double can hold.
    local walked, api = walk(kit, { count = count, token = function(number)
      return document.raw(("9007199254740993%03d"):format(number))
    end })
    need_users(api, walked, ids_of(1, count))
  end
  for _, form in ipairs(kit.paging.token == "json" and { '[%d,{"b":null,"a":"x"},[]]', '{"id":{"S":"%d"},"n":1.50}' }
    or {}) do
    local walked, api = walk(kit, { count = count, token = function(number)
      return document.raw(form:format(number))
    end })
    need_success(api, walked)
    need(#walked.ids == count, "expected %d users, got %d", count, #walked.ids)
  end
end)

case("calls a token that cannot be sent an error", function(kit)
  return not is(kit, "cursor") and "its pages have no tokens" or type(kit.paging.next) == "table"
    and "its tokens are headers" or nil
end, function(kit)
  local walked = walk(kit, { count = 3 * size_of(kit), token = function(number)
    return ("x"):rep(70000) .. number
  end })
  need_failure(kit, walked, "decode")
end)

case("follows relative links, too", not_linked, function(kit)
  local count = 3 * size_of(kit)
  local walked, api = walk(kit, { count = count, is_relative = true })
  need_users(api, walked, ids_of(1, count))
end)

case("follows no link to another origin", not_linked, function(kit)
  local before = kit.walks.strangers
  local walked = walk(kit, { count = 3 * size_of(kit), origin = kit.walks.stranger.url })
  need_failure(kit, walked, "http")
  need(kit.walks.strangers == before, "a request, and with it the token, went to another origin")
end)

case("follows no redirect", nil, function(kit)
  local before = kit.walks.strangers
  local walked = walk(kit, { count = 2, answer = function()
    return { status = 302, headers = { "Location: " .. kit.walks.stranger.url .. "/" } }
  end })
  need_failure(kit, walked, "http")
  need(kit.walks.strangers == before, "a request, and with it the token, went to another origin")
end)

case("takes no other document for an empty directory", nil, function(kit)
  local items = kit.collection.items
  local bodies = { "<html>maintenance</html>", "", "null", '"users"', items == "" and "{}" or "[]",
    '{"error":{"code":17,"message":"something is wrong"}}', '{"ok":false,"error":"something_is_wrong"}' }
  if type(kit.paging.total) == "string" then
    local refused = { error = "something is wrong" }
    document.put(refused, kit.paging.total, 0)
    bodies[#bodies + 1] = document.encode(refused)
  end
  if items ~= "" then
    local wrong = {}
    document.put(wrong, items, {})
    bodies[#bodies + 1] = document.encode(wrong)
    bodies[#bodies + 1] = not declared.has(kit.collection.empty, "absent") and "{}" or nil
    local empty = { errors = document.array { { message = "something is wrong" } } }
    bodies[#bodies + 1] = document.put(empty, items, document.array {}) and document.encode(empty) or nil
  end
  for _, body in ipairs(bodies) do
    local walked = walk(kit, { count = 2, answer = function(response)
      response.body = body
      return response
    end })
    need(walked.err, "the body %s was taken for an end, with %s", body == "" and "of nothing" or body, show(walked.ids))
    need(walked.err.kind == "decode", "the body %s: %s", body, tostring(walked.err))
  end
end)

case("goes on from a checkpoint after any user", nil, function(kit)
  local count = 2 * size_of(kit) + 1
  for taken = 0, count do
    local api = serve(kit, { count = count })
    local before = go(kit, api, nil, taken)
    need_success(api, before)
    local after = go(kit, api, { resume = before.checkpoint })
    need_success(api, after)
    for _, id in ipairs(after.ids) do
      before.ids[#before.ids + 1] = id
    end
    need_users(api, { ids = before.ids }, ids_of(1, count))
  end
end)

case("goes backwards from the last page", function(kit)
  return not kit.walks:goes_back() and "it declares no way back" or nil
end, function(kit)
  local count = 3 * size_of(kit)
  local api = serve(kit, { count = count })
  local last = kit.walks:last_page(function(request)
    return api:handle(request)
  end, with_size(kit, { prefetch = 0 }))
  need(last, "its last page has no token to begin at")
  need_users(api, go(kit, api, { direction = "backward", page_token = last }), ids_of(count, 1))
end)

return hostile
