-- Providers are tables of data. This checks one whole and names each mistake by its path.

local paging_types = require "rollcall.paging"
local formats = require "rollcall.formats"
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

local function is_pointer(value)
  return value == "" or value:sub(1, 1) == "/"
end

local function is_path(value)
  return value:sub(1, 1) == "/" and not value:find("[%c%s?#]")
end

local pointer = { type = "string", expected = "a JSON Pointer such as /data", test = is_pointer }
local path = { type = "string", expected = "a path that begins with /", test = is_path, required = true }
local name = { type = "string", expected = "a name of letters, digits and _",
  test = function(value) return value:find("^[%a_][%w_]*$") ~= nil end }
local header_name = { type = "string", expected = "a header name",
  test = function(value) return value:find("^[%w!#$%%&'*+.^_`|~-]+$") ~= nil end }

local base_url = { type = "string", expected = "an https URL without a query", test = function(value)
  local parsed, problem = url.parse(value)
  return parsed and (parsed.scheme == "https" or url.is_loopback(parsed)) and not parsed.path:find("?", 1, true)
    or problem or false
end }

local auth_fields = {
  type = { type = "string", enum = { "client_credentials" }, required = true },
  path = path,
  body = { type = "string", enum = { "form", "json" }, required = true },
  credentials = { type = "string", enum = { "body", "basic" }, required = true },
  audience = { type = "string" },
  scope = { type = "string" },
  expired = { type = "table", fields = {
    status = { type = "integer", min = 400, max = 599, required = true },
    message = { type = "string", required = true },
  } },
}

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

local field_rule = { type = "string|table", expected = "a JSON Pointer or a rule", test = function(value)
  if type(value) == "string" then
    return is_pointer(value)
  end
  for _, rule in ipairs { "value", "option", "present", "any", "each", "list" } do
    if value[rule] ~= nil then
      return true
    end
  end
  return "a rule has one of value, option, present, any, each, list"
end }

local function paging_schema(paging)
  local fields = { type = { type = "string", enum = keys_of(paging_types), required = true } }
  local kind = type(paging) == "table" and paging_types[paging.type]
  for key, node in pairs(kind and kind.schema or {}) do
    fields[key] = node
  end
  return { type = "table", required = true, fields = kind and fields or nil,
    test = function(value)
      return kind ~= nil or schema.check(value.type, fields.type, "type")[1] or "type: missing"
    end }
end

local function provider_schema(declared)
  local users = type(declared) == "table" and declared.users
  return { type = "table", fields = {
    name = { type = "string", required = true, expected = name.expected, test = name.test },
    base_url = { type = "table", required = true, keys = name, values = base_url },
    auth = { type = "table", fields = auth_fields },
    options = { type = "table", keys = name, values = { type = "table", fields = {
      pattern = { type = "table", required = true, values = { type = "string" } },
      expected = { type = "string", required = true },
      list = name,
      required = { type = "boolean" },
    } } },
    users = { type = "table", required = true, fields = {
      path = path,
      items = { type = "string", required = true, expected = pointer.expected, test = is_pointer },
      id = { type = "string" },
      paging = paging_schema(type(users) == "table" and users.paging),
      filters = { type = "table", keys = name, values = { type = "table", fields = filter_fields, test = is_filter } },
      fields = { type = "table", keys = name, values = field_rule },
    } },
  } }
end

local function copy(value)
  if type(value) ~= "table" then
    return value
  end
  local twin = {}
  for key, child in pairs(value) do
    twin[key] = copy(child)
  end
  return twin
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
  return copy(declared)
end

return provider
