-- The bodies that the decoders are measured on, the same on every Lua: pages as the providers send
-- them, made of the sandbox's users.

local root = os.getenv "BENCH_ROOT"
package.path = root .. "/examples/?.lua;" .. package.path

local clock = require "sandbox.data.clock"
local data = require "sandbox.data"
local json = require "sandbox.data.json"
local names = require "sandbox.data.names"
local random = require "sandbox.data.random"

local bodies = {}

local PAGE = 100

--- Cuts texts into pages, in an envelope of two halves.
local function cut(texts, before, after)
  local pages = {}
  for first = 1, #texts, PAGE do
    pages[#pages + 1] = before .. table.concat(texts, ",", first, math.min(first + PAGE - 1, #texts)) .. after
  end
  return pages
end

-- What differs from user to user in a real directory differs here: a string that was there before
-- costs a Lua less than a new one.
local generator = random.new(1)

local function some_time(days)
  return clock.ago(generator:int(days) * clock.DAY + generator:int(clock.DAY))
end

local function write(user, order)
  return json.write(user, { escape = generator:chance(20) and "lower" or "raw", space = "compact", order = order })
end

local TOKENS = '],"nextPaginationToken":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","prevPaginationToken":null}'

--- Tesouro's pages: compact, all users with the same fields.
function bodies.tesouro(count)
  local texts = {}
  for number = 1, count do
    local user = data.tesouro.big_user(100000, number)
    user.name = names.person(generator)
    user.createdDateTime, user.lastLoggedInDateTime = some_time(2000), some_time(400)
    texts[number] = write(user, "alphabetical")
  end
  return cut(texts, '{"data":[', TOKENS)
end

--- The same with users in every spelling of JSON: whitespace, orders, escapes, missing fields.
function bodies.spellings(count)
  local _, texts = data.tesouro.users { status = "ALL" }
  local some = {}
  for number = 1, count do
    some[number] = texts[(number - 1) % #texts + 1]
  end
  return cut(some, '{"data":[', TOKENS)
end

local ROLES = 6 -- makes users of 2 KB

--- Dintero's users with expanded roles.
function bodies.dintero(count)
  local roles, users = {}, {}
  for number = 1, count do
    users[number] = data.dintero.big_user(100000, number, true)
    for _, role in ipairs(users[number].roles) do
      roles[#roles + 1] = role
    end
  end
  local texts, next_role = {}, 0
  for number, user in ipairs(users) do
    local own = {}
    for i = 1, ROLES do
      own[i] = roles[next_role % #roles + 1]
      next_role = next_role + 1
    end
    user.roles = json.array(own)
    user.name = names.person(generator)
    user.created_at, user.updated_at, user.last_seen_at = some_time(2000), some_time(900), some_time(400)
    texts[number] = write(user, "alphabetical")
  end
  return cut(texts, "[", "]")
end

local function attribute(i)
  return ('{"key":"attribute %d","value":"the quick brown fox jumps over the lazy dog","enabled":true,"rank":%d}')
    :format(i, i)
end

--- One array of about `total` bytes, its users each of about `size` bytes; and how many they are.
function bodies.sized(size, total)
  local texts, count = {}, math.floor(total / size)
  for number = 1, count do
    local head = ('{"id":"%08d","email":"user.%08d@example.com","name":"Ada Lovelace","status":"ACTIVE","attributes":[')
      :format(number, number)
    local parts, length = {}, #head
    while length < size - 100 do
      parts[#parts + 1] = attribute(#parts)
      length = length + #parts[#parts]
    end
    texts[number] = head .. table.concat(parts, ",") .. "]}"
  end
  return "[" .. table.concat(texts, ",") .. "]", count
end

return bodies
