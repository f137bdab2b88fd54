-- Providers are tables of data. This checks one whole and names each mistake by its path.

local paging_types = require "rollcall.paging"
local field_rules = require "rollcall.fields"
local formats = require "rollcall.formats"
local query = require "rollcall.query"
local schema = require "rollcall.schema"
local url = require "rollcall.url"

local provider = {}

---@class rollcall.Provider
---@field name string
---@field base_url table<string, string> an https URL for each environment, `production` among them
---@field auth rollcall.ProviderAuth?
---@field options table<string, rollcall.ProviderOption>? options of the client that its paths use
---@field users rollcall.ProviderCollection

---@class rollcall.ProviderAuth how a token is got; `token` in the client's options always works
---@field type "client_credentials"
---@field path string of the token endpoint
---@field body "form"|"json"
---@field credentials "body"|"basic"
---@field audience string?
---@field scope string?
---@field expired { status: integer, message: string }? how the server calls a token expired, beside 401

---@class rollcall.ProviderOption
---@field pattern string[] Lua patterns, one of which a value matches
---@field expected string the same in words
---@field list string? the name of the option that takes a list of such values, walked concurrently
---@field required boolean?

---@class rollcall.ProviderCollection
---@field path string with {option} in it where an option's value goes
---@field items string JSON Pointer of the array
---@field id string? the field of an item by which it is known again, "id" by default
---@field paging table see paging/*.lua
---@field filters table<string, rollcall.ProviderFilter>?
---@field fields table<string, string|table>? common field names, see fields.lua

---@class rollcall.ProviderFilter
---@field query string? the query parameter it is sent as
---@field header string? or the header
---@field enum string[]?
---@field format string? see formats.lua
---@field list "comma"? takes a list, sent so

local function keys_of(map)
  local keys = {}
  for key in pairs(map) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

--- What is wrong with the {option}s in a text, true if nothing is.
local function check_options(text, options)
  if text:gsub("{[%w_]*}", ""):find("[{}]") then
    return "a brace that is no part of an {option}"
  end
  for name in text:gmatch("{([%w_]*)}") do
    local option = type(options) == "table" and options[name]
    if type(option) ~= "table" then
      return ("{%s} is none of its options"):format(name)
    elseif not option.required then
      return ("{%s}: an option that it stands for must have required = true"):format(name)
    end
  end
  return true
end

local function path_node(options)
  return { type = "string", expected = "a path that begins with /", required = true, test = function(value)
    return value:sub(1, 1) == "/" and not value:find("[%c%s?#]") and check_options(value, options)
  end }
end

local function template_node(options)
  return { type = "string", test = function(value)
    return check_options(value, options)
  end }
end

local name = { type = "string", expected = "a name of letters, digits and _",
  test = function(value) return value:find("^[%a_][%w_]*$") ~= nil end }
local header_name = { type = "string", expected = "a header name",
  test = function(value) return value:find("^[%w!#$%%&'*+.^_`|~-]+$") ~= nil end }

--- What is wrong with a Lua pattern. Lua itself says so only when a match gets there.
local function pattern_problem(pattern)
  local captures, i = 0, 1
  while i <= #pattern do
    local c, after = pattern:match("^(.)(.?)", i)
    local last = i
    if c == "%" then
      if after == "" or after == "b" and i + 3 > #pattern or after == "f" and pattern:sub(i + 2, i + 2) ~= "[" then
        return "a % that breaks off"
      end
      last = after == "b" and i + 3 or i + 1
    elseif c == "[" then
      last = pattern:match("^%^?%]?()", i + 1) -- the first bracket closes nothing
      while last <= #pattern and pattern:sub(last, last) ~= "]" do
        last = last + (pattern:sub(last, last) == "%" and 2 or 1)
      end
      if last > #pattern then
        return "a [ without its ]"
      end
    elseif c == "(" or c == ")" then
      captures = captures + (c == "(" and 1 or -1)
      if captures < 0 then
        return "a ) without its ("
      end
    end
    i = last + 1
  end
  return captures > 0 and "a ( without its )" or nil
end

local lua_pattern = { type = "string", test = function(value)
  local problem = pattern_problem(value)
  return not problem or "no Lua pattern: " .. problem
end }

local base_url = { type = "string", expected = "an https URL without a query", test = function(value)
  local parsed, problem = url.parse(value)
  return parsed and (parsed.scheme == "https" or url.is_loopback(parsed)) and not parsed.path:find("?", 1, true)
    or problem or false
end }

local function auth_fields(options)
  return {
    type = { type = "string", enum = { "client_credentials" }, required = true },
    path = path_node(options),
    body = { type = "string", enum = { "form", "json" }, required = true },
    credentials = { type = "string", enum = { "body", "basic" }, required = true },
    audience = template_node(options),
    scope = template_node(options),
    expired = { type = "table", fields = {
      status = { type = "integer", min = 400, max = 599, required = true },
      message = { type = "string", required = true },
    } },
  }
end

local filter_fields = {
  query = { type = "string" },
  header = header_name,
  enum = { type = "table", values = { type = "string" } },
  format = { type = "string", enum = keys_of(formats) },
  list = { type = "string", enum = { "comma" } },
}

local function is_filter(filter)
  return (filter.query ~= nil) ~= (filter.header ~= nil) or "it needs either query or header"
end

--- A filter must not take the place of what every walk understands.
local function filter_names(paging)
  local kind = type(paging) == "table" and paging_types[paging.type]
  local taken = kind and query.schema({ paging = paging }).fields or {}
  return { type = "string", expected = name.expected, test = function(value)
    return taken[value] and "every walk has an option of that name" or name.test(value)
  end }
end

local function paging_schema(paging)
  local fields = { type = { type = "string", enum = keys_of(paging_types), required = true } }
  local kind = type(paging) == "table" and paging_types[paging.type]
  -- Of a type that nobody knows, only that is said.
  for _, known in pairs(kind and { kind } or paging_types) do
    for key, node in pairs(known.schema) do
      fields[key] = kind and node or {}
    end
  end
  return { type = "table", required = true, fields = fields }
end

--- A schema for a map whose keys are its maker's: a node for each of them.
local function each(map, make)
  local fields = {}
  for key, value in pairs(type(map) == "table" and map or {}) do
    fields[tostring(key)] = make(value)
  end
  return fields
end

local function base_url_schema(map)
  local fields = each(map, function()
    return base_url
  end)
  fields.production = { type = "string", required = true, expected = base_url.expected, test = base_url.test }
  return { type = "table", required = true, keys = name, fields = fields }
end

local function provider_schema(declared)
  local options = type(declared) == "table" and declared.options
  local users = type(declared) == "table" and type(declared.users) == "table" and declared.users or {}
  return { type = "table", fields = {
    name = { type = "string", required = true, expected = name.expected, test = name.test },
    base_url = base_url_schema(type(declared) == "table" and declared.base_url),
    auth = { type = "table", fields = auth_fields(options) },
    options = { type = "table", keys = name, values = { type = "table", fields = {
      pattern = { type = "table", required = true, values = lua_pattern },
      expected = { type = "string", required = true },
      list = name,
      required = { type = "boolean" },
    } } },
    users = { type = "table", required = true, fields = {
      path = path_node(options),
      items = { type = "string", required = true, expected = schema.pointer.expected, test = schema.pointer.test },
      id = { type = "string", expected = "the name of a field", test = function(value) return value ~= "" end },
      paging = paging_schema(users.paging),
      filters = { type = "table", keys = filter_names(users.paging),
        values = { type = "table", fields = filter_fields, test = is_filter } },
      fields = { type = "table", keys = name, fields = each(users.fields, function(rule)
        return field_rules.schema(rule, options)
      end) },
    } },
  } }
end

--- Checks a provider and answers a copy of it; raises with every mistake, a line each.
---@param declared rollcall.Provider
---@param level integer? of the caller that the message names
---@return rollcall.Provider
function provider.check(declared, level)
  local problems = schema.check(declared, provider_schema(declared))
  if #problems > 0 then
    local title = type(declared) == "table" and type(declared.name) == "string" and " " .. declared.name or ""
    error(("provider%s:\n  %s"):format(title, table.concat(problems, "\n  ")), (level or 1) + 1)
  end
  return schema.copy(declared)
end

return provider
