-- Checks the options of a client: those of every client, and those that its provider declares.

local auth = require "rollcall.auth"
local header_names = require "rollcall.http.header_names"
local loops = require "rollcall.loop"
local paging_types = require "rollcall.paging"
local proxy = require "rollcall.http.proxy"
local request = require "rollcall.http.request"
local retry = require "rollcall.http.retry"
local schema = require "rollcall.schema"
local secrets = require "rollcall.auth.secret"
local tables = require "rollcall.tables"
local url = require "rollcall.http.url"

---@class rollcall.ClientOptions
---@field token (string|fun(): string?, any)? a bearer token, or a function that returns one (or nil and why), called
---  before each request
---@field client_id (string|fun(): string?, any)?
---@field client_secret (string|fun(): string?, any)?
---@field username (string|fun(): string?, any)? for a provider with basic credentials
---@field password (string|fun(): string?, any)?
---@field environment string? one that the provider declares, "production" by default
---@field base_url string? instead of an environment; required if the provider has none, as SCIM and Okta
---@field account string? Dintero: the account to walk
---@field accounts string[]? Dintero: several, walked concurrently
---@field org string? GitHub: the organization to walk
---@field orgs string[]? GitHub: several, walked concurrently
---@field insecure boolean? allows plain http to hosts other than loopback
---@field ca_file string? PEM file of the authorities to trust instead of the system's
---@field client_cert string? PEM file
---@field client_key string? PEM file
---@field proxy string? URL; "" for none; taken from the environment by default
---@field connect_timeout number? seconds, 5 by default
---@field idle_timeout number? seconds without a byte, 60 by default
---@field retry rollcall.RetryOptions|false|nil
---@field max_page_bytes integer? of one body, 4 GiB by default
---@field max_user_bytes integer? of one user, 8 MiB by default
---@field max_depth integer? of nesting, 512 by default
---@field max_header_bytes integer? of one response, 64 KiB by default
---@field watermark integer? bytes of users that may wait unread, 512 KiB by default
---@field query_names table<string, string>? sends query parameters of the provider by other names
---@field user_agent string?
---@field headers table<string, string>? sent with each request to the provider's base URL, such as a gateway's key
---@field loop rollcall.Loop|"blocking"|"nginx"|"uv"|nil how to wait; by default the host's
---@field on rollcall.Hooks?

--- Functions that are called with an event, a plain table each; an error raised in one reaches the caller.
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
---@field failure string? why the response is incomplete or missing
---@field headers table<string, string> of the response, by their names in lower case, repeated ones joined by ", ":
---  those in its first 8 KiB, without those of credentials; empty for a token request

---@class rollcall.RetryEvent: rollcall.RequestEvent
---@field wait number seconds
---@field kind rollcall.ErrorKind
---@field status integer?
---@field request_id string?
---@field message string

--- For a page whose users were all given; not for one in which a limit, an error or the script ended the walk.
---@class rollcall.PageEvent
---@field provider string
---@field account string?
---@field number integer from 1
---@field users integer

local client_options = {}

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

--- The names of the query parameters in requests to a collection.
local function parameters_of(collection)
  local names = {}
  for _, place in pairs(paging_types[collection.paging.type].places(collection.paging)) do
    names[place and request.query_name(place) or ""] = true
  end
  for name in pairs(collection.parameters or {}) do
    names[name] = true
  end
  for _, filter in pairs(collection.filters or {}) do
    names[filter.query or ""] = true
  end
  names[""] = nil
  return tables.keys(names)
end

--- The schema of query_names: its keys are parameters that the provider sends; no two may get the same name.
local function query_names_node(declared)
  local known = {}
  for _, collection in pairs(declared.collections) do
    for _, name in ipairs(parameters_of(collection)) do
      known[name] = true
    end
  end
  return { type = "table", keys = { type = "string", enum = tables.keys(known) },
    values = clean_string("a parameter's name"), also = function(value, report)
      for _, key in ipairs(tables.keys(declared.collections)) do
        local collection, owners = declared.collections[key], {}
        for _, name in ipairs(parameters_of(collection)) do
          local sent = type(value[name]) == "string" and value[name] or name
          if owners[sent] then
            report(value[name] and name or owners[sent], ("%s is the name of %s, too"):format(schema.show(sent),
              value[name] and owners[sent] or name))
            return
          end
          owners[sent] = name
        end
      end
    end }
end

--- The schema of headers: those in which the provider sends nothing itself.
local function headers_node(declared)
  local taken = { [(declared.auth and declared.auth.name or "authorization"):lower()] = "auth" }
  for name in pairs(declared.headers or {}) do
    taken[name:lower()] = "the provider's own"
  end
  for _, collection in pairs(declared.collections) do
    for _, place in pairs(paging_types[collection.paging.type].places(collection.paging)) do
      if type(place) == "table" and place.header then
        taken[place.header:lower()] = "paging"
      end
    end
    for name, filter in pairs(collection.filters or {}) do
      if filter.header then
        taken[filter.header:lower()] = "the filter " .. name
      end
    end
  end
  local value = tables.with(clean_string("text for a header"), { secret = true })
  return { type = "table", secret = true, values = value, keys = tables.with(header_names.free, {
    test = function(name)
      local owner = taken[name:lower()]
      return owner and "it is the place of " .. owner or header_names.free.test(name)
    end }) }
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

--- The schema of a list of such values, without duplicates.
local function option_list_node(declared)
  local one = option_node(declared)
  return { type = "table", expected = "a list, each " .. declared.expected, values = one, test = function(value)
    local places = {}
    for i, each in ipairs(value) do
      if type(each) ~= "string" then
        return true -- reported by the check of each value
      elseif places[each] then
        return ("%d: %s is there already, as %d"):format(i, schema.show(each), places[each])
      end
      places[each] = i
    end
    return tables.is_list(value)
  end }
end

local loop_table = { type = "table", fields = {
  wait = { type = "function", required = true },
  turn = { type = "function" },
  wake = { type = "function" },
  spawn = { type = "function" },
  slice = { type = "number", min = 0.0001, max = 1 },
} }

--- A custom loop, or the name of a built-in one that is available here.
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

-- The largest limit for sizes that C counts in 32 bits: of a user, of headers, of waiting bytes.
local MOST_BYTES = 2147483647

--- The options of a client of this provider.
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
    environment = declared.base_url and { type = "string", enum = tables.keys(declared.base_url) } or nil,
    base_url = { type = "string", expected = "a URL", required = not declared.base_url },
    insecure = { type = "boolean" },
    ca_file = path,
    client_cert = path,
    client_key = path,
    proxy = proxy.node,
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
    headers = headers_node(declared),
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

--- Reports secrets that do not make up one of the provider's lists.
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

--- Checks that involve several options.
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
    elseif many and #many == 0 then
      problems[#problems + 1] = ("%s: expected at least one, each %s"):format(option.list, option.expected)
    elseif option.required and one == nil and many == nil then
      problems[#problems + 1] = ("%s: missing; expected %s"):format(name, option.expected)
    end
  end
  if #lists > 1 then
    table.sort(lists)
    problems[#problems + 1] = table.concat(lists, ", ") .. ": only one of them can be a list"
  end
end

--- Checks the base URL; returns it without a trailing slash.
local function check_base_url(declared, config, problems)
  local address = config.base_url or declared.base_url[config.environment or "production"]
  local parsed, problem = url.parse(address)
  if parsed and parsed.path:find("?", 1, true) then
    problem = "a query in it"
  elseif parsed and parsed.scheme == "http" and not url.is_loopback(parsed) and not config.insecure then
    problem = "plain http would show the token to the network; use https, or say insecure = true"
  end
  if problem then
    local may_have_secrets = address:find "[@?#]" or address:find("%40", 1, true)
    problems[#problems + 1] = "base_url: " .. problem .. (may_have_secrets and "" or "; got " .. schema.show(address))
  end
  return (address:gsub("/+$", ""))
end

--- Every mistake in the options, one line each, and the base URL of the API, which counts only without mistakes.
---@param config any
---@param declared rollcall.Provider checked
---@return string[] problems
---@return string? base_url without a trailing slash
function client_options.check(config, declared)
  local problems = schema.check(config, options_schema(declared))
  if #problems > 0 then
    return problems
  end
  check_together(declared, config, problems)
  return problems, check_base_url(declared, config, problems)
end

return client_options
