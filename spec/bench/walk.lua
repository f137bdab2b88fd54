-- 100,000 users in 1,000 pages over loopback: rollcall against the floor and against what a script
-- author would write otherwise. Whole processes, from their start to their end.

local bench = require "spec.bench.bench"
local core = require "rollcall.core"
local http = require "spec.support.http"
local sandbox = require "spec.bench.sandbox"

local ROUNDS, USERS = 5, 100000

local token, organization = sandbox.tesouro_token(), sandbox.organization(USERS)
local headers = { "Authorization: Bearer " .. token, "X-Organization-ID: " .. organization,
  "Accept: application/json", "User-Agent: floor" }

--- Writes the addresses of all pages, which the floor is given.
local function write_urls(path)
  local file = assert(io.open(path, "w"))
  local first = sandbox.tesouro_url .. "/identity/v1/users?Limit=100"
  local url = first
  while url do
    file:write(url, "\n")
    local answer = http.request { url = url, headers = headers }
    assert(answer.status == 200, answer.body)
    local decoder = core.decoder { items = "/data", capture = { "/nextPaginationToken" } }
    assert(decoder:feed(answer.body))
    local following = decoder:captured "/nextPaginationToken"
    url = type(following) == "string" and first .. "&PaginationToken=" .. following:gsub("[^%w]", function(char)
      return ("%%%02X"):format(char:byte())
    end)
  end
  file:close()
end

local urls = bench.scratch "urls"
write_urls(urls)

local contenders = { { name = "libcurl in C, bytes thrown away", command = { bench.program "floor", urls } } }
for _, header in ipairs(headers) do
  table.insert(contenders[1].command, header)
end

local function add(is_there, name, command)
  if is_there then
    table.insert(command, 1, "WALK_ORGANIZATION=" .. organization)
    table.insert(command, 1, "WALK_TOKEN=" .. token)
    table.insert(command, 1, "WALK_URL=" .. sandbox.tesouro_url)
    table.insert(command, 1, "env")
    contenders[#contenders + 1] = { name = name, command = command }
  else
    bench.note(name .. ": not installed, left out")
  end
end

for _, lua in ipairs(bench.luas) do
  add(true, "rollcall, " .. bench.names[lua], bench.script(lua, "tasks/walk.lua"))
end
local ours = #contenders
add(bench.has_module("lua5.4", "socket"), "LuaSocket + cjson, Lua 5.4", bench.script("lua5.4", "peers/luasocket.lua"))
add(bench.has_module("luajit", "socket"), "LuaSocket + cjson, LuaJIT", bench.script("luajit", "peers/luasocket.lua"))
add(bench.has_module("luajit", "curl"), "lua-curl + cjson, LuaJIT", bench.script("luajit", "peers/luacurl.lua"))
add(bench.has "/usr/bin/python3", "Python, http.client + json",
  { "/usr/bin/python3", bench.path "peers/http_client.py" })
add(bench.has "node", "Node, fetch", { "node", bench.path "peers/fetch.js" })

local costs = bench.rounds(ROUNDS, contenders)

-- All must have seen the same.
local seen
for i = 2, #contenders do
  for _, cost in ipairs(costs[contenders[i].name]) do
    seen = seen or cost.said.walked
    assert(cost.said.walked == seen, contenders[i].name .. " walked " .. tostring(cost.said.walked))
  end
end
assert(tonumber(seen:match "^%d+") == USERS)

local floor = costs[contenders[1].name]
local rows = { { "", "wall s", "CPU s", "CPU us/user", "peak MiB", "wall / floor", "wall / rollcall" } }
for i, one in ipairs(contenders) do
  local cost = costs[one.name]
  local cpu = bench.median_of(cost, function(c) return c.cpu end)
  rows[i + 1] = {
    one.name,
    ("%.3f"):format(bench.median_of(cost, function(c) return c.wall end)),
    ("%.3f"):format(cpu),
    ("%.2f"):format(cpu / USERS * 1e6),
    ("%.1f"):format(bench.median_of(cost, function(c) return c.peak end)),
    ("%.2f"):format(bench.ratio_of(cost, floor, "wall")),
    ("%.2f"):format(bench.ratio_of(cost, costs[contenders[2].name], "wall")),
  }
end
bench.print("walk of 100,000 users in 1,000 pages, whole processes", rows)

for i, lua in ipairs(bench.luas) do
  local cost = costs[contenders[i + 1].name]
  bench.result("walk." .. lua .. ".floor", bench.ratio_of(cost, floor, "wall"))
  local peer = costs["LuaSocket + cjson, " .. bench.names[lua]]
  if peer then
    bench.result("walk." .. lua .. ".luasocket", bench.ratio_of(peer, cost, "wall"))
  end
end
assert(ours == #bench.luas + 1)
