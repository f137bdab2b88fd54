-- The control port: what tests read and change while the sandbox runs.

local cjson = require "cjson"
local clients = require "sandbox.clients"
local clock = require "sandbox.data.clock"
local directory = require "sandbox.data.dintero"
local faults = require "sandbox.faults"
local journal = require "sandbox.journal"
local rates = require "sandbox.rates"
local reply = require "sandbox.reply"
local settings = require "sandbox.settings"
local tokens = require "sandbox.tokens"

local control = {}

local routes = {}

-- Actions that can be requested besides settings, as NAME=1.
local actions = { revoke = tokens.revoke, expire = tokens.expire }

-- What a client needs to know besides the addresses, as NAME=value lines for DIR/env.
routes["GET /env"] = function()
  local lines = "SANDBOX_CLIENT_ID=%s\nSANDBOX_CLIENT_SECRET=%s\nSANDBOX_DINTERO_ACCOUNT=%s\nSANDBOX_NOW=%s\n"
  reply.json(200, lines:format(clients.id, clients.secret, directory.accounts[1].id, clock.now), "text/plain")
end

routes["GET /stats"] = function() reply.json(200, journal.stats()) end

routes["GET /log"] = function() reply.json(200, journal.log()) end

routes["GET /config"] = function() reply.json(200, settings.all()) end

routes["POST /config"] = function()
  local values, wanted = {}, {}
  for name, value in pairs(ngx.req.get_uri_args()) do
    if actions[name] then wanted[name] = value else values[name] = value end
  end
  for name, value in pairs(wanted) do
    if value ~= "1" then return reply.json(400, { message = name .. " takes 1" }) end
  end
  local done, mistake = settings.set(values)
  if not done then return reply.json(400, { message = mistake }) end
  for name in pairs(wanted) do actions[name]() end
  reply.json(200, settings.all())
end

routes["GET /faults"] = function() reply.json(200, faults.met()) end

routes["POST /faults"] = function()
  ngx.req.read_body()
  local done, mistake = faults.plan(ngx.req.get_body_data() or "")
  if not done then return reply.json(400, { message = mistake }) end
  reply.json(200, "{}")
end

-- Tokens stay valid: they belong to the clients, not to the sandbox's state.
routes["POST /reset"] = function()
  faults.forget()
  journal.reset()
  rates.reset()
  settings.reset()
  reply.json(200, settings.all())
end

function control.serve()
  local route = routes[ngx.req.get_method() .. " " .. ngx.var.uri]
  if route then return route() end
  local known = {}
  for name in pairs(routes) do known[#known + 1] = name end
  table.sort(known)
  reply.json(404, cjson.encode { message = "The control port takes " .. table.concat(known, ", ") })
end

return control
