-- The client of one provider: its options, checked, and what its streams share: an engine, tokens,
-- rate limits, a retry quota.

local auth = require "rollcall.auth"
local base64 = require "rollcall.base64"
local budgets = require "rollcall.budget"
local checkpoint = require "rollcall.checkpoint"
local core = require "rollcall.core"
local fields = require "rollcall.fields"
local frozen = require "rollcall.provider.frozen"
local limits = require "rollcall.limits"
local loops = require "rollcall.loop"
local paging_types = require "rollcall.paging"
local provider = require "rollcall.provider"
local query = require "rollcall.query"
local record_type = require "rollcall.record_type"
local redact = require "rollcall.redact"
local request = require "rollcall.request"
local retry = require "rollcall.retry"
local schema = require "rollcall.schema"
local secrets = require "rollcall.auth.secret"
local stream = require "rollcall.stream"
local url = require "rollcall.url"
local version = require "rollcall.version"
local walk = require "rollcall.walk"

---@class rollcall.ClientOptions
---@field token (string|fun(): string?, any)? a bearer token, or what answers one (or nil and why), asked before each
---  request
---@field client_id (string|fun(): string?, any)?
---@field client_secret (string|fun(): string?, any)?
---@field username (string|fun(): string?, any)? for a provider with basic credentials
---@field password (string|fun(): string?, any)?
---@field environment string? one of the provider's, "production" by default
---@field base_url string? instead of an environment; needed where the provider has none, as SCIM and Okta
---@field account string? Dintero: the account to walk
---@field accounts string[]? Dintero: several, walked concurrently
---@field org string? GitHub: the organization to walk
---@field orgs string[]? GitHub: several, walked concurrently
---@field insecure boolean? allows plain http to other hosts than loopback
---@field ca_file string? PEM file of the authorities to trust instead of the system's
---@field client_cert string? PEM file
---@field client_key string? PEM file
---@field proxy string? URL; "" for none; from the environment by default
---@field connect_timeout number? seconds, 5
---@field idle_timeout number? seconds without a byte, 60
---@field retry rollcall.RetryOptions|false|nil
---@field max_page_bytes integer? of one body, 4 GiB
---@field max_user_bytes integer? of one user, 8 MiB
---@field max_depth integer? of nesting, 512
---@field max_header_bytes integer? of one answer, 64 KiB
---@field watermark integer? bytes of users that may wait unread, 512 KiB
---@field query_names table<string, string>? sends a query parameter of the provider by another name
---@field user_agent string?
---@field loop rollcall.Loop|"blocking"|"nginx"|"uv"|nil how to wait; by default the host's
---@field on rollcall.Hooks?

--- Functions that are told what happens, a plain table each; an error in one reaches the caller.
---@class rollcall.Hooks
---@field request fun(event: rollcall.RequestEvent)?
---@field response fun(event: rollcall.ResponseEvent)?
---@field retry fun(event: rollcall.RetryEvent)?
---@field page fun(event: rollcall.PageEvent)?

---@class rollcall.RequestEvent
---@field provider string
---@field method string
---@field url string without secrets
---@field attempt integer from 1

---@class rollcall.ResponseEvent: rollcall.RequestEvent
---@field status integer?
---@field request_id string?
---@field seconds number
---@field bytes integer as received
---@field failure string? why there is no whole answer

---@class rollcall.RetryEvent: rollcall.RequestEvent
---@field wait number seconds
---@field kind rollcall.ErrorKind
---@field status integer?
---@field message string

--- Of a page whose users were all given; not of one that a limit, an error or the script ended the walk in.
---@class rollcall.PageEvent
---@field provider string
---@field account string?
---@field number integer from 1
---@field users integer

---@class rollcall.Client
---@field provider rollcall.Provider
---@field base_url string without a slash at its end
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

--- What the streams of a client share. A client has it behind a function: whoever prints a client does not meet the
--- secrets, and no table from clients to it keeps them alive (before Lua 5.2 one would, where a hook knows its client).
---@class rollcall.Shared
---@field provider rollcall.Provider
---@field config rollcall.ClientOptions
---@field engine rollcall.Engine? until it is closed
---@field redactor table
local Shared = {}
Shared.__index = Shared

local client = {}

-- So often, in seconds, a stream of plentiful users comes by its loop, which decides whether it is time.
local TURN = 0.002
-- Bytes that may wait unread before a transfer pauses, where the script does not say.
local WATERMARK = 524288

local function clean_string(expected)
  return { type = "string", expected = expected, test = function(value)
    return value ~= "" and not value:find("%c") or "control characters in it, or nothing"
  end }
end

local function secret(expected)
  return { type = "string|function", secret = true, expected = expected, test = function(value)
    if type(value) == "string" and (value == "" or value:find("%c")) then
      return "it is empty, or has control characters in it"
    end
    return true
  end }
end

local proxy_schemes = { http = true, https = true, socks4 = true, socks4a = true, socks5 = true, socks5h = true }

local proxy_node = { type = "string", secret = true, expected = "a URL", test = function(value)
  if value:find("[%c%s]") then
    return "a control character or space in it"
  end
  local scheme = value:match("^(.-)://")
  return not scheme or proxy_schemes[scheme:lower()] or "expected an http, https or socks URL"
end }

--- The node of query_names: it takes the parameters that the provider sends.
local function query_names_node(declared)
  local known, names = {}, {}
  local function add(name)
    if name and not known[name] then
      known[name] = true
      names[#names + 1] = name
    end
  end
  for _, collection in pairs(declared.collections) do
    for _, place in pairs(paging_types[collection.paging.type].places(collection.paging)) do
      add(place and request.query_name(place))
    end
    for name in pairs(collection.parameters or {}) do
      add(name)
    end
    for _, filter in pairs(collection.filters or {}) do
      add(filter.query)
    end
  end
  table.sort(names)
  return { type = "table", keys = { type = "string", enum = names }, values = clean_string("a parameter's name") }
end

local function option_node(declared)
  return { type = "string", expected = declared.expected, test = function(value)
    if value == "." or value == ".." then
      return "it may stand in a path; expected more than dots"
    end
    for _, pattern in ipairs(declared.pattern) do
      if value:find(pattern) then
        return true
      end
    end
    return false
  end }
end

--- The node of a list of such values, each once.
local function option_list_node(declared)
  local one = option_node(declared)
  return { type = "table", expected = "a list, each " .. declared.expected, values = one, test = function(value)
    local places = {}
    for i, each in ipairs(value) do
      if type(each) ~= "string" then
        return true -- which the check of each value names
      elseif places[each] then
        return ("%d: %s is there already, as %d"):format(i, schema.show(each), places[each])
      end
      places[each] = i
    end
    return schema.is_list(value)
  end }
end

local loop_table = { type = "table", fields = {
  wait = { type = "function", required = true },
  turn = { type = "function" },
  wake = { type = "function" },
  spawn = { type = "function" },
  slice = { type = "number", min = 0.0001, max = 1 },
} }

--- A loop of the script's own, or the name of a built-in one that can be had here.
local loop_node = { type = "string|table", expected = "a table, or one of " .. table.concat(loops.names, ", "),
  test = function(value)
    if type(value) == "table" then
      local problems = schema.check(value, loop_table)
      return #problems == 0 or table.concat(problems, "; ")
    end
    for _, name in ipairs(loops.names) do
      if value == name then
        local found, problem = loops.named(name)
        return found ~= nil or problem
      end
    end
    return false
  end }

-- Of a user, of headers, of what waits: what C counts in 32 bits.
local MOST_BYTES = 2147483647

local function options_schema(declared)
  local seconds = { type = "number", min = 0, max = 86400 }
  local path = clean_string("the path of a PEM file")
  local hook = { type = "function" }
  local nodes = {
    token = secret("a token, or a function that answers one"),
    client_id = secret("a client id, or a function that answers one"),
    client_secret = secret("a client secret, or a function that answers one"),
    username = secret("a user name, or a function that answers one"),
    password = secret("a password, or a function that answers one"),
    environment = declared.base_url and { type = "string", enum = schema.keys(declared.base_url) } or nil,
    base_url = { type = "string", expected = "a URL", required = not declared.base_url },
    insecure = { type = "boolean" },
    ca_file = path,
    client_cert = path,
    client_key = path,
    proxy = proxy_node,
    connect_timeout = seconds,
    idle_timeout = seconds,
    retry = retry.schema,
    max_page_bytes = { type = "integer", min = 1 },
    max_user_bytes = { type = "integer", min = 2, max = MOST_BYTES },
    max_depth = { type = "integer", min = 1, max = 2048 },
    max_header_bytes = { type = "integer", min = 1024, max = MOST_BYTES },
    watermark = { type = "integer", min = 1, max = MOST_BYTES },
    query_names = query_names_node(declared),
    user_agent = clean_string("text for the User-Agent header"),
    loop = loop_node,
    on = { type = "table", fields = { request = hook, response = hook, retry = hook, page = hook } },
  }
  for name, option in pairs(declared.options or {}) do
    nodes[name] = option_node(option)
    if option.list then
      nodes[option.list] = option_list_node(option)
    end
  end
  return { type = "table", secret = true, fields = nodes }
end

local function words(list, between)
  local texts = {}
  for i, one in ipairs(list) do
    texts[i] = type(one) == "table" and words(one, " and ") or one
  end
  return table.concat(texts, between)
end

--- Are the secrets that were given those of which the provider needs one list?
local function check_secrets(declared, config, problems)
  local lists, takes_any = auth.takes(declared)
  local given, fitting, whole = {}, false, takes_any
  for _, name in ipairs(secrets.names) do
    given[#given + 1] = config[name] ~= nil and name or nil
  end
  for _, list in ipairs(lists) do
    local count = 0
    for _, name in ipairs(list) do
      count = count + (config[name] ~= nil and 1 or 0)
    end
    fitting = fitting or count == #given
    whole = whole or count == #list
  end
  local expected = words(lists, ", or ")
  if not fitting and not declared.auth then
    problems[#problems + 1] = ("%s: it declares no auth; expected token"):format(words(given, ", "))
  elseif not fitting and config.token ~= nil and #lists > 1 then
    problems[#problems + 1] = "token excludes " .. words(lists[2], " and ")
  elseif not fitting then
    problems[#problems + 1] = ("%s: expected %s"):format(words(given, ", "), expected)
  elseif not whole then
    problems[#problems + 1] = "expected " .. expected
  end
end

--- What no single option can say about itself.
local function check_together(declared, config, problems)
  check_secrets(declared, config, problems)
  if config.environment and config.base_url then
    problems[#problems + 1] = "environment and base_url exclude each other"
  end
  if config.client_key and not config.client_cert then
    problems[#problems + 1] = "client_key: expected client_cert, the certificate that it is the key of, beside it"
  end
  local lists = {}
  for name, option in pairs(declared.options or {}) do
    local one, many = config[name], option.list and config[option.list]
    lists[#lists + 1] = many and option.list or nil
    if one ~= nil and many ~= nil then
      problems[#problems + 1] = ("%s and %s exclude each other"):format(name, option.list)
    elseif option.required and one == nil and (many == nil or #many == 0) then
      problems[#problems + 1] = ("%s: missing; expected %s"):format(name, option.expected)
    end
  end
  if #lists > 1 then
    table.sort(lists)
    problems[#problems + 1] = table.concat(lists, ", ") .. ": only one of them can be a list"
  end
end

--- Checks the address; answers it without a slash at its end.
local function check_base_url(declared, config, problems)
  local address = config.base_url or declared.base_url[config.environment or "production"]
  local parsed, problem = url.parse(address)
  if parsed and parsed.path:find("?", 1, true) then
    problem = "a query in it"
  elseif parsed and parsed.scheme == "http" and not url.is_loopback(parsed) and not config.insecure then
    problem = "plain http would show the token to the network; use https, or say insecure = true"
  end
  if problem then
    problems[#problems + 1] = "base_url: " .. problem
  end
  return (address:gsub("/+$", ""))
end

-- Where libcurl finds a proxy; HTTP_PROXY, which a CGI's caller could set, it does not ask.
local PROXY_VARIABLES = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" }

--- Registers what a proxy's URL says of user and password, as it stands there, as it is meant and as it is sent. Where
--- there is no password, the user is the key.
local function hide_credentials(redactor, proxy)
  local credentials = (proxy or ""):gsub("^.-://", ""):match("^(.*)@")
  if not credentials then
    return
  end
  local user, password = credentials:match("^([^:]*):?(.*)$")
  for _, secret_text in ipairs { credentials, password ~= "" and password or user } do
    redactor:add(secret_text, "proxy")
    redactor:add(url.decode(secret_text), "proxy")
  end
  redactor:add(base64.encode(url.decode(user) .. ":" .. url.decode(password)), "proxy")
end

--- May a body of this provider be of any length, since it has everybody? Such bodies need a connection each.
local function has_long_bodies(checked)
  for _, collection in pairs(checked.collections) do
    if collection.paging.type == "none" then
      return true
    end
  end
  return false
end

--- Makes a client. Raises where the provider or an option is wrong, naming each mistake.
---@param declared rollcall.Provider
---@param config rollcall.ClientOptions
---@param level integer? of the caller that messages name
---@return rollcall.Client
function client.new(declared, config, level)
  level = (level or 1) + 1
  if config == nil then
    config = {}
  end
  local checked = provider.check(declared, level)
  local problems = schema.check(config, options_schema(checked))
  local base_url
  if #problems == 0 then
    check_together(checked, config, problems)
    base_url = check_base_url(checked, config, problems)
  end
  if #problems > 0 then
    error(("%s: %s"):format(checked.name, table.concat(problems, "; ")), level)
  end
  local kept = {}
  for name, value in pairs(config) do
    kept[name] = name == "loop" and value or schema.copy(value)
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
    turn = turn, -- seconds after which a loop that wants it is to have its turn; nil: never
    limits = limits.new(),
    running = setmetatable({}, { __mode = "k" }), -- exchanges whose answer's headers were not looked at yet
    retry = retry.new(kept.retry),
    redactor = redact.new(),
    loop = self.loop,
    watermark = kept.watermark or WATERMARK,
    query_names = kept.query_names or {},
    user_agent = kept.user_agent or "rollcall/" .. version,
    limits_of_bodies = {
      max_page_bytes = kept.max_page_bytes,
      max_user_bytes = kept.max_user_bytes,
      max_depth = kept.max_depth,
    },
    hooks = kept.on or {},
    auths = {}, -- by the values of the provider's options, as the next
    records = {}, -- what is known of them, by collection and options
  }, Shared)
  hide_credentials(shared.redactor, kept.proxy)
  for _, name in ipairs(PROXY_VARIABLES) do
    hide_credentials(shared.redactor, os.getenv(name))
  end
  rawset(self, "shared", function()
    return shared
  end)
  return self
end

--- What every request of the client to this URL takes from its options. The caller adds to it.
---@param address string
function Shared:transport(address)
  local config = self.config
  return {
    ca_file = config.ca_file,
    client_cert = config.client_cert,
    client_key = config.client_key,
    -- What goes to this machine does not leave it, whatever proxy the environment has for the rest of the world.
    proxy = config.proxy or (url.is_loopback(url.parse(address)) and "" or nil),
    connect_timeout = config.connect_timeout,
    idle_timeout = config.idle_timeout,
    max_body = config.max_page_bytes,
    max_headers = config.max_header_bytes,
    watermark = self.watermark,
  }
end

--- Tells a hook of the script.
function Shared:tell(name, event)
  local hook = self.hooks[name]
  if hook then
    hook(event)
  end
end

--- One text for the values of all options.
local function key_of(variables)
  local parts = {}
  for name, value in pairs(variables) do
    parts[#parts + 1] = name .. "=" .. value
  end
  table.sort(parts)
  return table.concat(parts, "\n")
end

--- The stream of one account (or of a provider without accounts), or nil and what is wrong with the
--- checkpoint or the page that it was to begin at.
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
  }), self.loop, { provider = self.provider.name, account = variables.account })
end

--- The streams of several accounts as one, whose budget they share.
local function merged(self, collection, name, accounts, variables, checked)
  local parts, problem = {}, nil
  if checked.resume then
    parts, problem = checkpoint.decode_parts(checked.resume)
  end
  if not parts then
    return nil, "resume: " .. problem
  end
  local streams, names, budget, wanted = {}, {}, budgets.new(checked), {}
  for i, account in ipairs(accounts) do
    names[i], wanted[account] = account, true
    if checked.resume and type(parts[account]) ~= "string" then
      return nil, ("resume: this checkpoint does not know %s %s"):format(name, account)
    end
    variables[name] = account
    streams[i], problem = stream_of(self, collection, schema.copy(variables), checked, parts[account], budget)
    if not streams[i] then
      return nil, problem
    end
  end
  for account in pairs(parts) do
    if not wanted[account] then
      return nil, ("resume: this checkpoint is of %s %s, too"):format(name, schema.show(account))
    end
  end
  local merge = require "rollcall.merge" -- here, since most scripts need none
  return merge.new(streams, { limit = checked.limit }, self.loop, names)
end

--- What a client shares with its streams; nil where this is no client.
---@return rollcall.Shared?
local function shared_of(self)
  return getmetatable(self) == Client and rawget(self, "shared")() or nil
end

--- What is in a collection, as a stream. Nothing is sent before the first one is asked for. Raises where
--- the query is wrong. `level` is that of the caller.
local function walk_collection(self, name, options, level)
  local shared = shared_of(self)
  if not shared then
    error(("%s: call it with ':', as in client:%s()"):format(name, name), level)
  end
  local where = ("%s:%s"):format(shared.provider.name, name)
  if not shared.engine then
    error(where .. ": the client is closed", level)
  end
  local checked = query.check(shared.provider.collections[name], options, where, level)
  local variables, list_of = {}, nil
  for option_name, option in pairs(shared.provider.options or {}) do
    variables[option_name] = shared.config[option_name]
    if option.list and shared.config[option.list] then
      list_of = option_name
    end
  end
  local made, problem
  if list_of then
    local list = shared.provider.options[list_of].list
    if checked.page_token then
      error(("%s: page_token: a page is of one %s, and the client has %s"):format(where, list_of, list), level)
    end
    made, problem = merged(shared, name, list_of, shared.config[list], variables, checked)
  else
    made, problem = stream_of(shared, name, variables, checked, checked.resume)
  end
  if problem then
    error(("%s: %s"):format(where, problem), level)
  end
  return made
end

-- One method for each name of a collection; clients share them.
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

--- Closes the connections; streams under way end with an error of kind "closed".
function methods:close()
  local shared = shared_of(self)
  if not shared then
    error("close: call it with ':', as in client:close()", 2)
  end
  if shared.engine then
    shared.engine:close()
    shared.engine = nil
  end
end

Client.__close = methods.close

function Client:__tostring()
  return ("rollcall.client (%s)"):format(self.provider.name)
end

return client
