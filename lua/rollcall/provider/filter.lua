-- The filters of a collection.

local declared_nodes = require "rollcall.paging.declared"
local formats = require "rollcall.formats"
local header_names = require "rollcall.http.header_names"
local lua_pattern = require "rollcall.provider.lua_pattern"
local nodes = require "rollcall.provider.nodes"
local paging_types = require "rollcall.paging"
local query = require "rollcall.query"
local schema = require "rollcall.schema"
local tables = require "rollcall.tables"

--- It needs one of query, header, path and body.
---@class rollcall.ProviderFilter
---@field query string? the query parameter it is sent as
---@field header string? or the header
---@field path string? or the {name} in the collection's path
---@field body string? or the JSON Pointer of a member of the body
---@field enum any[]?
---@field format "uuid"|"date"|"date-time"|"integer"|"boolean"|nil see formats.lua
---@field min integer? of an integer
---@field max integer? of an integer
---@field pattern string|string[]|nil Lua patterns, one of which a value matches
---@field expected string? the same, in words
---@field list "comma"|"repeat"|"bracket"|"array"|nil takes a list: a,b; x=a&x=b; x[]=a&x[]=b; in a body an array
---@field required boolean?
---@field default any

local filter = {}

-- Checked each by itself.
local fields = {
  query = declared_nodes.parameter,
  header = header_names.free,
  path = nodes.name,
  body = declared_nodes.member,
  enum = { type = "table", values = { type = "string|number|boolean" } },
  format = { type = "string", enum = tables.keys(formats) },
  min = { type = "integer" },
  max = { type = "integer" },
  pattern = { type = "string|table", values = lua_pattern, test = function(value)
    if type(value) == "table" then
      return #value > 0 or "expected at least one Lua pattern"
    end
    return lua_pattern.test(value)
  end },
  expected = { type = "string" },
  list = { type = "string", enum = { "comma", "repeat", "bracket", "array" } },
  required = { type = "boolean" },
  default = {},
}

-- The spellings of a list, by the kind of place.
local LISTS = { query = { comma = true, ["repeat"] = true, bracket = true }, header = { comma = true },
  body = { comma = true, array = true }, path = {} }

--- Checks where it is sent: to one place, which has its spelling of a list.
local function check_place(declared, report)
  local places = 0
  for place, lists in pairs(LISTS) do
    places = places + (declared[place] ~= nil and 1 or 0)
    if declared[place] ~= nil and declared.list ~= nil and not lists[declared.list] then
      report("list", ("%s is no spelling for a %s; it takes %s"):format(schema.show(declared.list), place,
        next(lists) and table.concat(tables.keys(lists), ", ") or "none"))
    end
  end
  if places ~= 1 then
    report("", "it needs one of query, header, path and body")
  end
end

--- Checks a filter in the collection's path, or in its body.
local function check_collection(declared, collection, report)
  if declared.path ~= nil then
    if declared.required ~= true and declared.default == nil then
      report("path", "a filter that stands in the path must have required = true, or a default")
    end
    local named = "{" .. tostring(declared.path) .. "}"
    if type(collection.path) == "string" and not collection.path:find(named, 1, true) then
      report("path", "the collection's path has no " .. named)
    end
  end
  if declared.body ~= nil and collection.method ~= "POST" then
    report("body", 'only a collection with method = "POST" has a body')
  end
end

--- Checks what its values may be.
local function check_values(declared, report)
  if (declared.min ~= nil or declared.max ~= nil) and declared.format ~= "integer" then
    report(declared.min ~= nil and "min" or "max", 'only for format = "integer"')
  elseif type(declared.min) == "number" and type(declared.max) == "number" and declared.min > declared.max then
    report("max", "below min")
  end
  local value_type = formats[declared.format] and formats[declared.format].type or "string"
  for i, value in ipairs(type(declared.enum) == "table" and declared.enum or {}) do
    local problems = schema.check(value, { type = value_type, test = function(text)
      local is_lost = type(text) == "string"
        and (text:find("%c") or declared.path and (text == "" or text:find("^%.%.?$")))
      return not is_lost or "it cannot be sent there"
    end })
    if problems[1] then
      report(("enum.%d"):format(i), problems[1])
    end
  end
  if type(declared.enum) == "table" and #declared.enum == 0 then
    report("enum", "expected at least one value")
  end
  if declared.pattern ~= nil and value_type ~= "string" then
    report("pattern", ("format = %s takes none"):format(schema.show(declared.format)))
  end
end

local function check_default(declared, report)
  if declared.default ~= nil then
    local sound = #schema.check(declared, { type = "table", fields = fields }) == 0
    local problem = sound and schema.check(declared.default, query.filter_schema(declared))[1]
    if problem then
      report("default", problem)
    end
  end
end

--- The schema of a filter of this collection.
---@param collection table as given
---@return rollcall.Schema
function filter.node(collection)
  return { type = "table", fields = fields, also = function(declared, report)
    check_place(declared, report)
    check_values(declared, report)
    check_collection(declared, collection, report)
    check_default(declared, report)
  end }
end

--- The schema of a filter's name, which must not be that of an option that every walk has.
---@param paging any the collection's, as given
---@return rollcall.Schema
function filter.names(paging)
  local kind = type(paging) == "table" and type(paging.type) == "string" and paging_types[paging.type]
  local taken = kind and query.schema({ paging = { type = paging.type, size = paging.size } }).fields or {}
  return { type = "string", expected = nodes.name.expected, test = function(value)
    return (taken[value] or query.multi_account_options[value]) and "every walk has an option of that name"
      or nodes.name.test(value)
  end }
end

return filter
