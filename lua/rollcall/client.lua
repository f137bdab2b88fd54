-- The client of one provider. It holds what its streams share (engine, tokens, rate limits, retry quota) and makes
-- them.

local auth = require "rollcall.auth"
local budgets = require "rollcall.walk.budget"
local checkpoint = require "rollcall.checkpoint"
local client_options = require "rollcall.client_options"
local core = require "rollcall.core"
local fields = require "rollcall.fields"
local frozen = require "rollcall.provider.frozen"
local header = require "rollcall.http.header"
local loops = require "rollcall.loop"
local paging_types = require "rollcall.paging"
local provider = require "rollcall.provider"
local proxy = require "rollcall.http.proxy"
local query = require "rollcall.query"
local rate_limits = require "rollcall.http.rate_limits"
local record_type = require "rollcall.record_type"
local redact = require "rollcall.http.redact"
local request = require "rollcall.http.request"
local retry = require "rollcall.http.retry"
local stream = require "rollcall.stream"
local tables = require "rollcall.tables"
local version = require "rollcall.version"
local walk = require "rollcall.walk"

---@class rollcall.Client
---@field provider rollcall.Provider
---@field base_url string without a trailing slash
---@field loop rollcall.Loop how its streams wait
---@field users fun(self: rollcall.Client, options: rollcall.Query?): rollcall.Stream
---@field organizations fun(self: rollcall.Client, options: rollcall.Query?): rollcall.Stream Tesouro's
---@field accounts fun(self: rollcall.Client, options: rollcall.Query?): rollcall.Stream Dintero's: the merchants
---@field roles fun(self: rollcall.Client, options: rollcall.Query?): rollcall.Stream Dintero's
---@field close fun(self: rollcall.Client)
---@field [string] fun(self: rollcall.Client, options: rollcall.Query?): rollcall.Stream a collection
local Client = {}
local methods = {}
Client.__name = "rollcall.client"

--- What the streams of a client share. Kept in a closure, so that printing a client shows no secret. A weak table from
--- client to state would leak on Lua 5.1 (no ephemerons) when a hook refers to its client.
---@class rollcall.ClientState
---@field provider rollcall.Provider checked
---@field config rollcall.ClientOptions a copy, except for `loop`
---@field base_url string without a trailing slash
---@field engine rollcall.Engine
---@field is_closed boolean? the engine is closed too; a finalizer may close it at any time
---@field turn number? seconds after which the loop gets its turn; nil: never
---@field rate_limits table from http.rate_limits
---@field running table<rollcall.Exchange, true> those whose response headers have not been read yet; weak keys
---@field retry rollcall.Retry
---@field redactor table knows the client's secrets, see http.redact
---@field loop rollcall.Loop
---@field watermark integer bytes of users that may wait unread before a transfer pauses
---@field query_names table<string, string> the name to send, by the provider's name of a query parameter
---@field headers string[] lines of the option `headers`
---@field user_agent string
---@field body_limits { max_page_bytes: integer?, max_user_bytes: integer?, max_depth: integer? }
---@field hooks rollcall.Hooks
---@field auths table<string, table> from auth.new, by option values
---@field records table<string, { common: table, type: table }> common fields and record type, by collection and option
---  values
local ClientState = {}
ClientState.__index = ClientState

local client = {}

-- Seconds between calls of `loop.turn` while users are plentiful.
local TURN = 0.002
-- Default of `watermark`. With twice as many bytes a walk of a gigabyte takes more than 16 MiB on LuaJIT.
local WATERMARK = 524288

--- Can a body be arbitrarily long, because a collection is not paged? Such bodies need a connection each.
local function has_long_bodies(checked)
  for _, collection in pairs(checked.collections) do
    if collection.paging.type == "none" then
      return true
    end
  end
  return false
end

--- Makes a client. Raises if the provider or an option is wrong, naming each mistake.
---@param declared rollcall.Provider
---@param config rollcall.ClientOptions
---@param level integer? of the caller that error messages name
---@return rollcall.Client
function client.new(declared, config, level)
  level = (level or 1) + 1
  if config == nil then
    config = {}
  end
  local checked = provider.check(declared, level)
  local problems, base_url = client_options.check(config, checked)
  if #problems > 0 then
    error(("%s: %s"):format(checked.name, table.concat(problems, "; ")), level)
  end
  local kept = {}
  for name, value in pairs(config) do
    kept[name] = name == "loop" and value or tables.copy(value)
  end
  local self = setmetatable({
    provider = frozen.freeze(checked),
    base_url = base_url,
    loop = type(kept.loop) == "string" and loops.named(kept.loop) or kept.loop or loops.detect(),
  }, Client)
  local turn = self.loop.turn and (self.loop.slice or TURN) or nil
  local shared = setmetatable({
    provider = checked,
    config = kept,
    base_url = base_url,
    engine = core.engine { turn = turn, multiplex = not has_long_bodies(checked) },
    turn = turn,
    rate_limits = rate_limits.new(),
    running = setmetatable({}, { __mode = "k" }),
    retry = retry.new(kept.retry),
    redactor = redact.new(),
    loop = self.loop,
    watermark = kept.watermark or WATERMARK,
    query_names = kept.query_names or {},
    headers = request.header_lines(kept.headers),
    user_agent = kept.user_agent or "rollcall/" .. version,
    body_limits = {
      max_page_bytes = kept.max_page_bytes,
      max_user_bytes = kept.max_user_bytes,
      max_depth = kept.max_depth,
    },
    hooks = kept.on or {},
    auths = {},
    records = {},
  }, ClientState)
  proxy.hide_credentials(shared.redactor, kept.proxy)
  for name, value in pairs(kept.headers or {}) do
    if header.is_of_credentials(name) then
      shared.redactor:add(value, "headers." .. name)
    end
  end
  rawset(self, "shared", function()
    return shared
  end)
  return self
end

--- What the client's options set for every request to this URL. A new table, to which the caller may add.
---@param address string
function ClientState:transport(address)
  local config = self.config
  return {
    ca_file = config.ca_file,
    client_cert = config.client_cert,
    client_key = config.client_key,
    proxy = proxy.of(config.proxy, address),
    connect_timeout = config.connect_timeout,
    idle_timeout = config.idle_timeout,
    max_body = config.max_page_bytes,
    max_headers = config.max_header_bytes,
    watermark = self.watermark,
  }
end

--- Calls a hook of the script, if there is one.
function ClientState:call_hook(name, event)
  local hook = self.hooks[name]
  if hook then
    hook(event)
  end
end

--- One string for the values of all options.
local function key_of(variables)
  local parts = {}
  for name, value in pairs(variables) do
    parts[#parts + 1] = name .. "=" .. value
  end
  table.sort(parts)
  return table.concat(parts, "\n")
end

--- The option that names an account and, if the client was given a list of accounts, the name of the list option.
---@param self rollcall.ClientState
---@return string? name
---@return string? list
local function option_of_accounts(self)
  local single
  for _, name in ipairs(tables.keys(self.provider.options or {})) do
    local list = self.provider.options[name].list
    if list and self.config[list] then
      return name, list
    end
    single = single or list and name
  end
  return single
end

--- The stream of one account (or of a provider without accounts), or nil and what is wrong with the checkpoint or the
--- page token to begin at.
local function stream_of(self, name, variables, checked, resume, budget)
  local collection = self.provider.collections[name]
  local kind = paging_types[collection.paging.type]
  local key = key_of(variables)
  local identity = {
    provider = self.provider.name,
    base_url = self.base_url,
    collection = name,
    variables = variables,
    query = query.identity(collection, checked),
  }
  local first, problem = kind.first(collection.paging, checked, self.base_url)
  if not first then
    return nil, "page_token: " .. problem
  end
  local saved
  if resume then
    saved, problem = checkpoint.decode(resume, identity, function(position)
      return kind.restore(position, self.base_url, collection.paging)
    end)
    if not saved then
      return nil, "resume: " .. problem
    end
  end
  self.auths[key] = self.auths[key] or auth.new(self, variables)
  local record_key = name .. "\n" .. key
  local records = self.records[record_key]
  if not records then
    local common = fields.common(collection.fields, self.provider.name, variables)
    records = { common = common, type = record_type.new(common) }
    self.records[record_key] = records
  end
  local account_name = option_of_accounts(self)
  local account = account_name and variables[account_name]
  local one = query.request(collection, self.provider.headers, checked)
  if kind.prepare then
    kind.prepare(collection.paging, one, checked)
  end
  return stream.new(walk.new(self, {
    collection = collection,
    query = checked,
    request = one,
    first = first,
    auth = self.auths[key],
    variables = variables,
    records = records,
    identity = identity,
    resume = saved,
    budget = budget or budgets.new(checked),
    account = account,
  }), self.loop, { provider = self.provider.name, account = account })
end

--- The streams of several accounts as one; they share a budget.
local function merged(self, collection, name, accounts, variables, checked)
  local parts, problem = {}, nil
  if checked.resume then
    parts, problem = checkpoint.decode_parts(checked.resume)
  end
  if not parts then
    return nil, "resume: " .. problem
  end
  local streams, names, budget = {}, {}, budgets.new(checked)
  for i, account in ipairs(accounts) do
    names[i] = account
    if checked.resume and type(parts[account]) ~= "string" then
      return nil, ("resume: this checkpoint does not know %s %s"):format(name, account)
    end
    variables[name] = account
    streams[i], problem = stream_of(self, collection, tables.copy(variables), checked, parts[account], budget)
    if not streams[i] then
      return nil, problem
    end
  end
  local merge = require "rollcall.merge" -- here, because most scripts do not need it
  return merge.new(streams, { limit = checked.limit, concurrency = checked.concurrency, on_error = checked.on_error },
    self.loop, names, self.provider.name)
end

--- What a client shares with its streams; nil if this is not a client.
---@return rollcall.ClientState?
local function shared_of(self)
  return getmetatable(self) == Client and rawget(self, "shared")() or nil
end

--- The items of a collection, as a stream. Nothing is sent before the first one is asked for. Raises if the query is
--- wrong; `level` is that of the caller.
local function walk_collection(self, name, options, level)
  local shared = shared_of(self)
  if not shared then
    error(("%s: call it with ':', as in client:%s()"):format(name, name), level)
  end
  local where = ("%s:%s"):format(shared.provider.name, name)
  if shared.is_closed then
    error(where .. ": the client is closed", level)
  end
  local account_name, list = option_of_accounts(shared)
  local accounts = list and shared.config[list]
  local checked = query.check(shared.provider.collections[name], options, where, level, accounts ~= nil)
  local variables = {}
  for option_name in pairs(shared.provider.options or {}) do
    variables[option_name] = shared.config[option_name]
  end
  local made, problem
  if accounts then
    if checked.page_token then
      error(("%s: page_token: a page is of one %s, and the client has %s"):format(where, account_name, list), level)
    end
    made, problem = merged(shared, name, account_name, accounts, variables, checked)
  else
    made, problem = stream_of(shared, name, variables, checked, checked.resume)
  end
  if problem then
    error(("%s: %s"):format(where, problem), level)
  end
  return made
end

-- By collection name; shared by all clients.
local collection_methods = {}

local function collection_method(name)
  collection_methods[name] = collection_methods[name] or function(self, options)
    return stream.iterator((walk_collection(self, name, options, 3)))
  end
  return collection_methods[name]
end

function Client.__index(self, key)
  local shared = rawget(self, "shared")
  if shared and shared().provider.collections[key] then
    return collection_method(key)
  end
  return methods[key]
end

--- Closes the connections; unfinished streams end with an error of kind "closed".
function methods:close()
  local shared = shared_of(self)
  if not shared then
    error("close: call it with ':', as in client:close()", 2)
  end
  if not shared.is_closed then
    shared.is_closed = true
    shared.engine:close()
    if shared.loop.wake then
      shared.loop.wake() -- other coroutines may be waiting in its streams
    end
  end
end

Client.__close = methods.close

function Client:__tostring()
  return ("rollcall.client (%s)"):format(self.provider.name)
end

return client
