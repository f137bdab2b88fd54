-- Walks over hostile servers, for the conformance kit: one client and one walk at a time, against a server in this
-- process.

local client_maker = require "rollcall.client"
local core = require "rollcall.core"
local paging_types = require "rollcall.paging"
local pointers = require "rollcall.pointer"
local server = require "rollcall.conformance.server"
local tables = require "rollcall.tables"

local Walks = {}
Walks.__index = Walks

local walks = {}

-- A walk that exceeds these has gone wrong; the second in seconds.
local MAX_REQUESTS, DEADLINE = 300, 20

---@class rollcall.ConformanceWalk the outcome of a walk
---@field ids string[] of the users received
---@field err rollcall.Error? why it ended
---@field reason string?
---@field checkpoint string
---@field seconds number

---@param setup { provider: table, name: string, config: table, query: table, base_path: string, collection: table }
function walks.new(setup)
  local self = setmetatable({ setup = setup, strangers = 0 }, Walks)
  self.main = server.start(function(request)
    return self.handler(request)
  end)
  -- Another origin, to which no request must ever go.
  self.stranger = server.start(function()
    self.strangers = self.strangers + 1
    return { body = "[]" }
  end)
  self.loop = server.loop { self.main, self.stranger }
  return self
end

--- A client of the provider whose requests `handler` responds to: none of them leaves this machine, whatever the
--- script's options and the environment say.
---@param handler fun(request: rollcall.ServerRequest): rollcall.ServerResponse
---@param options table? of the client, besides the kit's
---@return rollcall.Client
function Walks:client(handler, options)
  self.main:forget()
  self.handler = handler
  local config = { idle_timeout = DEADLINE, retry = { base = 0.001, jitter = 0, quota = 1e6 } }
  config = tables.with(tables.with(config, self.setup.config), options or {})
  config.environment = nil
  config.base_url, config.proxy, config.loop = self.main.url .. self.setup.base_path, "", self.loop
  return client_maker.new(self.setup.provider, config)
end

--- The id of a user, as the provider declares it.
function Walks:id_of(user)
  return core.at(user, pointers.of(self.setup.collection.id or "id"))
end

--- The query of a walk: the kit's, with this added.
function Walks:query(query)
  local merged = { max_requests = MAX_REQUESTS, deadline = DEADLINE }
  return tables.with(tables.with(merged, self.setup.query), query or {})
end

--- Walks to the end, or until this many users have come.
---@param handler fun(request: rollcall.ServerRequest): rollcall.ServerResponse
---@param query table?
---@param most integer? users after which the walk is abandoned
---@param options table? of the client
---@return rollcall.ConformanceWalk
function Walks:walk(handler, query, most, options)
  local client = self:client(handler, options)
  local began = core.now()
  local stream = (client[self.setup.name](client, self:query(query)))
  local ids, err = {}, nil
  while not most or #ids < most do
    local user
    user, err = stream:next()
    if not user then
      break
    end
    ids[#ids + 1] = tostring(self:id_of(user))
  end
  local made = { ids = ids, err = err, reason = stream:reason(), checkpoint = stream:checkpoint(),
    seconds = core.now() - began }
  stream:close()
  client:close()
  return made
end

--- The page_token of the last page that has users; nil if pages have none.
function Walks:last_page(handler, query)
  local client = self:client(handler)
  local last
  for users, page in (client[self.setup.name](client, self:query(query))):pages() do
    last = #users > 0 and page.token or last
  end
  client:close()
  return last
end

--- Can the provider's paging type walk backwards?
function Walks:goes_back()
  local paging = self.setup.collection.paging
  return paging_types[paging.type].goes_back(paging)
end

function Walks:stop()
  self.main:stop()
  self.stranger:stop()
end

return walks
