-- Waits that overlap, or not. Prints seconds of wall time:
--
--   latency.lua prefetch PAGES WORK N   pages and WORK seconds of the script's own after each
--   latency.lua merge                   64 walks of an account, 16 at a time: of one client, and then
--                                       of 64 clients, each with a connection and a token of its own

local core = require "rollcall.core"
local rollcall = require "rollcall"

local function prefetch(pages, work, ahead)
  local tesouro = rollcall.tesouro { base_url = os.getenv "WALK_URL", token = os.getenv "WALK_TOKEN", proxy = "" }
  local users, start = 0, core.now()
  for _ in tesouro:users { organization_id = os.getenv "WALK_ORGANIZATION", prefetch = ahead } do
    users = users + 1
    if users % 100 == 0 then
      core.wait({}, work)
    end
  end
  assert(users == pages * 100)
  return core.now() - start
end

local STREAMS, CONCURRENCY = 64, 16

--- Merges 64 walks of an account. `client_of(i)` answers the client of each.
local function merged(client_of)
  local streams = {}
  for i = 1, STREAMS do
    streams[i] = client_of(i):users()
  end
  local users, start = 0, core.now()
  for _ in rollcall.merge(streams, { concurrency = CONCURRENCY }) do
    users = users + 1
  end
  assert(users == STREAMS * 45)
  return core.now() - start
end

local function dintero()
  return rollcall.dintero {
    base_url = os.getenv "WALK_URL",
    account = "P321",
    client_id = os.getenv "SANDBOX_CLIENT_ID",
    client_secret = os.getenv "SANDBOX_CLIENT_SECRET",
    proxy = "",
  }
end

local function merge()
  local client = dintero()
  print(("one %.6f"):format(merged(function()
    return client
  end)))
  local clients = {}
  for i = 1, STREAMS do
    clients[i] = dintero()
  end
  print(("many %.6f"):format(merged(function(i)
    return clients[i]
  end)))
end

if arg[1] == "prefetch" then
  print(("took %.6f"):format(prefetch(tonumber(arg[2]), tonumber(arg[3]), tonumber(arg[4]))))
else
  merge()
end
