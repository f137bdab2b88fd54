-- Decodes pages by rollcall, with a walk's own decoder, and by lua-cjson, in turns:
--
--   decode.lua ROUNDS               each body, each task, each decoder; a line of seconds each
--   decode.lua TIMES BODY TASK WHO  one of them, so many times and silently, for a profiler

local bodies = require "spec.bench.tasks.bodies"
local cjson = require "cjson"
local core = require "rollcall.core"
local fields = require "rollcall.fields"
local record_type = require "rollcall.record_type"

local totable = core.totable

local function body(name, users, provider, names, read)
  local declared = require("rollcall.providers." .. provider)
  local common = fields.common(declared.users.fields, provider, { account = "T12345678" })
  return {
    name = name,
    users = users,
    pages = bodies[name](users),
    items = declared.users.items,
    list = declared.users.items:sub(2), -- where it stands in the decoded document
    capture = provider == "tesouro" and { declared.users.paging.next, declared.users.paging.previous } or nil,
    record = record_type.new(common),
    selection = core.selection(fields.rules_of(common, names)), -- the fields that `read` reads
    read = read,
  }
end

local function tesouro_fields(user)
  return user.email, user.name, user.status
end

local function dintero_fields(user)
  return user.email, user.name, user.id
end

-- A walk has some pages in memory, not all: what is alive here decides how much garbage there is before it is
-- collected, and so how much of the work is waiting for memory. A profiler needs fewer users.
local SHARE = tonumber(os.getenv "BENCH_SHARE" or 1)
-- Each is decoded as often in a measurement: garbage is collected several times over.
local PASSES = 10

local makers = {
  tesouro = function()
    return body("tesouro", 3000 * SHARE, "tesouro", { "email", "name", "status" }, tesouro_fields)
  end,
  dintero = function()
    return body("dintero", 750 * SHARE, "dintero", { "email", "name", "id" }, dintero_fields)
  end,
  spellings = function()
    return body("spellings", 2000 * SHARE, "tesouro", { "email", "name", "status" }, tesouro_fields)
  end,
}
local body_names = { "tesouro", "dintero", "spellings" }

local function nothing() end

-- What is done with each user. A table of every user is what cjson has made already.
local tasks = {
  fields = function(case)
    return case.read, case.read
  end,
  values = function(case)
    return nil, case.read
  end,
  iterate = function()
    return nothing, nothing
  end,
  totable = function()
    return totable, nothing
  end,
}
local task_names = { "values", "fields", "iterate", "totable" }

-- Bytes at a time that rollcall is fed: the whole page, or as libcurl hands it over.
local pieces = { rollcall = math.huge, pieces = 16384 }

--- Takes the records that are in the decoder; answers how many.
local function take_records(decoder, use)
  local seen = 0
  local user = decoder:next()
  while user ~= nil do
    use(user)
    seen = seen + 1
    user = decoder:next()
  end
  return seen
end

--- The same with the values of the fields in their place, as stream:values has them.
local function take_values(decoder, selection)
  local seen = 0
  while true do
    local any, first, second, third = decoder:values(selection)
    if not any then
      return seen, first, second, third
    end
    seen = seen + 1
  end
end

local function by_rollcall(case, use, piece)
  local seen = 0
  for _, page in ipairs(case.pages) do
    local decoder = core.decoder { items = case.items, capture = case.capture, record = case.record, id = "/id" }
    for first = 1, #page, piece do
      assert(decoder:feed(piece >= #page and page or page:sub(first, first + piece - 1)))
      seen = seen + (use and take_records(decoder, use) or (take_values(decoder, case.selection)))
    end
    assert(decoder:finish())
  end
  assert(seen == case.users)
end

local function by_cjson(case, use)
  local seen = 0
  for _, page in ipairs(case.pages) do
    local document = cjson.decode(page)
    local list = case.list == "" and document or document[case.list]
    for i = 1, #list do
      use(list[i])
      seen = seen + 1
    end
  end
  assert(seen == case.users)
end

local function runner(case, task, who)
  local ours, theirs = tasks[task](case)
  if who == "cjson" then
    return function()
      by_cjson(case, theirs)
    end
  end
  local piece = pieces[who]
  return function()
    by_rollcall(case, ours, piece)
  end
end

--- What made the bodies is not needed any more, and would be marked in each collection.
local function forget_users()
  for name in pairs(package.loaded) do
    if name:find("^sandbox%.") or name:find("bodies$") then
      package.loaded[name] = nil
    end
  end
  bodies = nil
  collectgarbage()
end

local function measure(f)
  collectgarbage()
  collectgarbage()
  local wall, cpu = core.now(), os.clock()
  for _ = 1, PASSES do
    f()
  end
  collectgarbage() -- on the bill, too
  return (os.clock() - cpu) / PASSES, (core.now() - wall) / PASSES
end

local count = tonumber(arg[1])
if arg[2] then
  local jit = rawget(_G, "jit")
  if jit then
    jit.off() -- makes the bodies in the same instructions each time
  end
  local f = runner(makers[arg[2]](), arg[3], arg[4])
  forget_users()
  if jit then
    jit.on()
  end
  for _ = 1, count do
    f()
  end
  return
end

local runs = {}
for _, name in ipairs(body_names) do
  local case = makers[name]()
  local bytes = 0
  for _, page in ipairs(case.pages) do
    bytes = bytes + #page
  end
  print(("size %s %.0f"):format(name, bytes / case.users))
  for _, task in ipairs(task_names) do
    for _, who in ipairs { "rollcall", "cjson", "pieces" } do
      if task == "values" or task == "fields" or who ~= "pieces" and name ~= "spellings" then
        runs[#runs + 1] = { label = ("%s %s %s"):format(name, task, who), users = case.users,
          f = runner(case, task, who) }
      end
    end
  end
end

forget_users()
for round = 0, count do -- round 0 warms up
  for _, run in ipairs(runs) do
    local cpu, wall = measure(run.f)
    if round > 0 then
      print(("run %s %.6f %.6f"):format(run.label, cpu / run.users * 1e6, wall / run.users * 1e6))
    end
  end
end
