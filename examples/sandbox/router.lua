-- Routes every request to its handler; every users request passes here before it is responded to.

local dintero = require "sandbox.dintero"
local faults = require "sandbox.faults"
local journal = require "sandbox.journal"
local settings = require "sandbox.settings"
local tesouro = require "sandbox.tesouro"

local router = {}

local providers = { tesouro = tesouro, dintero = dintero }

-- Lists of other things than users meet no faults.
local COUNTERS = { users = "user_requests", list = "list_requests", token = "token_requests" }

local function wait()
  local delay = settings.get "delay_ms"
  if delay > 0 then ngx.sleep(delay / 1000) end
end

-- Responds to the current request as the provider `name`. Routes: `method`, `path` (a pattern whose first capture is
-- passed to the handler), `kind` "users", "list" or "token", `handler`.
function router.serve(name)
  local provider, method, uri = providers[name], ngx.req.get_method(), ngx.var.uri
  if ngx.var.connection_requests == "1" then journal.count(name, "connections") end
  local known_path = false
  for _, route in ipairs(provider.routes) do
    local from, _, capture = uri:find(route.path)
    if from and route.method == method then
      journal.count(name, COUNTERS[route.kind])
      if route.kind ~= "token" then wait() end
      if route.kind ~= "list" and faults.meet(provider.name, route.kind) then return end
      return route.handler(capture)
    end
    known_path = known_path or from ~= nil
  end
  return provider.no_route(known_path and 405 or 404)
end

return router
