-- What a user costs as there are more of them, and as they are larger. Prints microseconds of CPU.
--
--   growth.lua walk USERS…     by a walk of an organization of so many users, for each number
--   growth.lua size BYTES…     by decoding users of so many bytes, 16 KiB at a time

local core = require "rollcall.core"
local rollcall = require "rollcall"

local ROUNDS = 5
local LEAST = 50000 -- users walked for one figure, in several walks where there are fewer

local function measure(f)
  collectgarbage()
  local cpu = os.clock()
  f()
  collectgarbage()
  return os.clock() - cpu
end

local function walk(tesouro, users)
  local seen = 0
  local id = ("99999999-0000-4000-8000-%012d"):format(users)
  for user in tesouro:users { organization_id = id } do
    if user.email and user.name and user.status then
      seen = seen + 1
    end
  end
  assert(seen == users)
end

local function walks()
  local tesouro = rollcall.tesouro { base_url = os.getenv "WALK_URL", token = os.getenv "WALK_TOKEN", proxy = "" }
  walk(tesouro, 1000)
  for round = 1, ROUNDS do
    for i = 2, #arg do
      local users = tonumber(arg[i])
      local times = math.max(1, math.ceil(LEAST / users))
      -- The longest takes as long as all others together; twice is enough of it.
      if users < 1000000 or round <= 2 then
        print(("walk %d %.6f"):format(users, measure(function()
          for _ = 1, times do
            walk(tesouro, users)
          end
        end) / times / users * 1e6))
      end
    end
  end
end

local PIECE = 16384

local function decode(text, users)
  local decoder = core.decoder { items = "" }
  local seen = 0
  for first = 1, #text, PIECE do
    assert(decoder:feed(text:sub(first, first + PIECE - 1)))
    local user = decoder:next()
    while user ~= nil do
      if user.email and user.name and user.status then
        seen = seen + 1
      end
      user = decoder:next()
    end
  end
  assert(decoder:finish())
  assert(seen == users)
end

local function sizes()
  local bodies = require "spec.bench.tasks.bodies"
  local cases = {}
  for i = 2, #arg do
    local text, users = bodies.sized(tonumber(arg[i]), 8e6)
    cases[#cases + 1] = { size = arg[i], text = text, users = users }
  end
  for round = 0, ROUNDS do
    for _, case in ipairs(cases) do
      local seconds = measure(function()
        decode(case.text, case.users)
      end)
      if round > 0 then
        print(("size %s %.6f %.6f"):format(case.size, seconds / case.users * 1e6, seconds / #case.text * 1e9))
      end
    end
  end
end

if arg[1] == "walk" then
  walks()
else
  sizes()
end
