-- Providers are tables of data. This module checks a whole one and reports each mistake with its path.

local auth = require "rollcall.auth"
local collection_node = require "rollcall.provider.collection"
local frozen = require "rollcall.provider.frozen"
local header_names = require "rollcall.http.header_names"
local lua_pattern = require "rollcall.provider.lua_pattern"
local nodes = require "rollcall.provider.nodes"
local option_names = require "rollcall.option_names"
local schema = require "rollcall.schema"
local tables = require "rollcall.tables"

local provider = {}

---@class rollcall.Provider
---@field name string letters, digits and _
---@field base_url table<string, string>|false an https URL for each environment, `production` among them; false if
---  each customer has one, which the client's base_url must state
---@field auth rollcall.ProviderAuth? by default a bearer token that the script provides
---@field limited rollcall.DeclaredAnswer? how the server refuses too many requests, besides 429
---@field headers table<string, string>? of every request to its collections, such as Accept
---@field options table<string, rollcall.ProviderOption>? options of the client that its paths use
---@field users rollcall.ProviderCollection? the same as collections.users
---@field collections table<string, rollcall.ProviderCollection>? a client has a method for each, with its name

--- By type:
---   bearer               the client's `token`, as `Authorization: Bearer TOKEN`
---   header               the client's `token` in the header `name`, after `prefix`
---   basic                the client's `username` and `password`
---   client_credentials   a token obtained with the client's `client_id` and `client_secret`; `token` works, too
---   function             the headers that `headers` returns
---@class rollcall.ProviderAuth
---@field type "bearer"|"header"|"basic"|"client_credentials"|"function"
---@field name string? header, client_credentials: the header's name; client_credentials: "Authorization" by default
---@field prefix string? the same types: the text before the token, such as "SSWS "; nothing by default, or "Bearer " if
---  `name` is not declared
---@field path string? client_credentials: of the token endpoint, below base_url
---@field url string? client_credentials: instead of path, if the endpoint is on another host
---@field body "form"|"json"|nil client_credentials: the format of the token request's body, "form" by default
---@field credentials "body"|"basic"|nil client_credentials: where id and secret are sent, "body" by default
---@field audience string? client_credentials
---@field scope string? client_credentials
---@field parameters table<string, string>? client_credentials: further parameters of the token request
---@field names { client_id: string?, client_secret: string? }? client_credentials: their names in the token request
---@field token string? client_credentials: JSON Pointer of the token in the response, "/access_token" by default
---@field expires_in string? client_credentials: JSON Pointer of its lifetime in seconds, "/expires_in" by default
---@field headers (fun(request: { method: string, url: string, body: string? }, secrets: table<string, string>):
---  table<string, string>?, string?)? function: returns the headers of a request; or nil and what is wrong
---@field expired rollcall.DeclaredAnswer? how the server reports an expired token, besides 401

---@class rollcall.ProviderOption
---@field pattern string[] Lua patterns, one of which a value matches
---@field expected string the same, in words
---@field list string? the name of the option that takes a list of such values, walked concurrently
---@field required boolean?

local function auth_node(declared, options)
  local kind = type(declared) == "table" and auth.types[declared.type]
  local places = { path = nodes.path(options), template = nodes.template(options), url = nodes.url(options) }
  local fields = {
    type = { type = "string", enum = tables.keys(auth.types), required = true },
    expired = nodes.answers(tables.table_or_empty(declared).expired),
  }
  -- For an unknown type only the type is reported, not the other fields.
  for _, known in pairs(kind and { kind } or auth.types) do
    for key, node in pairs(known.schema(places)) do
      fields[key] = kind and node or {}
    end
  end
  return { type = "table", fields = fields, also = kind and kind.check or nil }
end

local function base_url_node(map)
  if map == false then
    return {}
  end
  local fields = schema.each(map, function()
    return nodes.base_url
  end)
  fields.production = schema.required(nodes.base_url)
  return { type = "table", required = true, keys = nodes.name, fields = fields,
    expected = "an https URL for each environment, production among them; or false" }
end

-- Fields and methods that a client has besides its collections.
local TAKEN = { close = true, provider = true, base_url = true, loop = true, shared = true }

local collection_name = { type = "string", expected = nodes.name.expected, test = function(value)
  return TAKEN[value] and "every client has something of that name" or nodes.name.test(value)
end }

local of_every_client = {}
for _, one in ipairs(option_names) do
  of_every_client[one] = true
end

local option_name = { type = "string", expected = nodes.name.expected, test = function(value)
  return of_every_client[value] and "every client has an option of that name" or nodes.name.test(value)
end }

local option_fields = {
  pattern = { type = "table", required = true, values = lua_pattern, expected = "a list of Lua patterns",
    test = function(value)
      return #value > 0
    end },
  expected = { type = "string", required = true },
  list = option_name,
  required = { type = "boolean" },
}

--- Reports names that two options, or their lists, share.
local function check_options(options, report)
  local known = {}
  for key in pairs(options) do
    known[key] = "an option"
  end
  for _, key in ipairs(tables.keys(options)) do
    local list = type(options[key]) == "table" and options[key].list
    if type(list) == "string" and known[list] then
      report(key .. ".list", ("%s is the name of %s already"):format(list, known[list]))
    elseif type(list) == "string" then
      known[list] = "another list"
    end
  end
end

local function provider_node(declared)
  local given = tables.table_or_empty(declared)
  local options = given.options
  return { type = "table", fields = {
    name = schema.required(nodes.name),
    base_url = base_url_node(given.base_url),
    auth = auth_node(given.auth, options),
    limited = nodes.answers(given.limited),
    headers = { type = "table", keys = header_names.free, values = nodes.text },
    options = { type = "table", keys = option_name, values = { type = "table", fields = option_fields },
      also = check_options },
    users = collection_node(given.users, given),
    collections = { type = "table", keys = collection_name, expected = "at least one collection",
      fields = schema.each(given.collections, function(collection)
        return collection_node(collection, given)
      end), test = function(value)
        return next(value) ~= nil
      end },
  }, also = function(value, report)
    if value.users == nil and value.collections == nil then
      report("users", "missing; expected a collection (or collections, for those of other names)")
    elseif value.users ~= nil and type(value.collections) == "table" and value.collections.users ~= nil
      and value.collections.users ~= value.users then -- they are equal in a table that was checked before
      report("collections.users", "users is declared twice")
    end
  end }
end

--- Checks a provider and returns a copy of it, in which `collections` has all collections; raises with every mistake,
--- one line each.
---@param declared rollcall.Provider
---@param level integer? of the caller that the message names
---@return rollcall.Provider
function provider.check(declared, level)
  declared = frozen.copy(declared)
  local problems = schema.check(declared, provider_node(declared))
  if #problems > 0 then
    local title = type(declared) == "table" and type(declared.name) == "string" and " " .. declared.name or ""
    error(("provider%s:\n  %s"):format(title, table.concat(problems, "\n  ")), (level or 1) + 1)
  end
  local copy = tables.copy(declared)
  copy.collections = copy.collections or {}
  copy.collections.users = copy.collections.users or copy.users
  copy.users = copy.collections.users
  return copy
end

return provider
