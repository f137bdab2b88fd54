-- Checks a table of options against a schema, which is plain data, and reports every mistake with its path.

local core = require "rollcall.core"
local tables = require "rollcall.tables"

local schema = {}

--- One node of a schema. A value passes if it has one of the types and meets all other conditions.
---@class rollcall.Schema
---@field type string? "string", "boolean", "number", "integer", "function", "table", or several: "string|function"
---@field enum any[]? the values it may have
---@field min number?
---@field max number?
---@field fields table<string, rollcall.Schema>? of a table: its keys; no others are allowed
---@field values rollcall.Schema? of a table: for every value (of a list or a map)
---@field keys rollcall.Schema? of a table: for every key
---@field required boolean?
---@field secret boolean? its value is not shown in messages
---@field expected string? what it takes, in words, for messages
---@field test (fun(value: any): boolean|string)? returns true, or false, or what is wrong
---@field also (fun(value: table, report: fun(path: string, problem: string)))? of a table: checks that involve several
---  fields. They may have any types, since mistakes in them do not prevent the call

--- The edit distance of two words: insertions, deletions, substitutions and swaps of neighbours.
local function distance(a, b)
  local row, above, before = {} -- for the current letter of `a` and the two before it, by letters of `b`
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    row, above, before = { [0] = i }, row, above
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      row[j] = math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
  end
  return row[#b]
end

--- The candidate with the nearest spelling, if one is near enough to be meant.
---@param word string
---@param candidates string[]
---@return string?
function schema.nearest(word, candidates)
  local best, best_distance
  for _, candidate in ipairs(candidates) do
    local d = distance(word:lower(), candidate:lower())
    if d <= math.max(1, math.floor(#candidate / 3)) and (not best or d < best_distance) then
      best, best_distance = candidate, d
    end
  end
  return best
end

--- A JSON Pointer (RFC 6901).
schema.pointer = { type = "string", expected = "a JSON Pointer such as /data", test = function(value)
  local _, steps = value:gsub("/", "")
  return (value == "" or value:sub(1, 1) == "/") and not (value .. "$"):find("~[^01]") and not value:find("%z")
    and (steps <= core.most_steps or ("it has %d steps; expected at most %d"):format(steps, core.most_steps))
end }

--- The name of a header (RFC 9110, 5.1).
schema.header_name = { type = "string", expected = "a header name", test = function(value)
  return value:find("^[%w!#$%%&'*+.^_`|~-]+$") ~= nil
end }

--- A copy of a node that is required.
---@param node rollcall.Schema
---@return rollcall.Schema
function schema.required(node)
  return tables.with(node, { required = true })
end

local sorted_keys = tables.keys

--- The fields of a map with arbitrary keys: a node for each of its keys.
---@param map any
---@param make fun(value: any): rollcall.Schema
---@return table<string, rollcall.Schema>
function schema.each(map, make)
  local fields = {}
  for key, value in pairs(tables.table_or_empty(map)) do
    fields[tostring(key)] = make(value)
  end
  return fields
end

--- A value as messages show it: short, on one line.
---@param value any
---@return string
function schema.show(value)
  if type(value) == "string" then
    local short = #value > 60 and value:sub(1, 57) .. "..." or value
    return '"' .. short:gsub("%c", function(c)
      return ("\\x%02X"):format(c:byte())
    end) .. '"'
  elseif type(value) == "number" or type(value) == "boolean" then
    return tostring(value)
  end
  return "a " .. type(value)
end

local function is_integer(value)
  return type(value) == "number" and value == math.floor(value) and value > -2 ^ 53 and value < 2 ^ 53
end

local function has_type(value, types)
  for one in types:gmatch("[^|]+") do
    if type(value) == one or (one == "integer" and is_integer(value)) then
      return true
    end
  end
  return false
end

local function words(list)
  local shown = {}
  for i, value in ipairs(list) do
    shown[i] = tostring(value)
  end
  return table.concat(shown, ", ")
end

--- What a node takes, in words.
---@param node rollcall.Schema
---@return string
function schema.expected(node)
  if node.expected then
    return node.expected
  elseif node.enum then
    return "one of " .. words(node.enum)
  end
  local text = (node.type or "a value"):gsub("|", " or ")
  if node.type == "integer" then
    text = "a whole number"
  end
  if node.min and node.max then
    text = ("%s from %.14g to %.14g"):format(text, node.min, node.max)
  elseif node.min then
    text = ("%s of at least %s"):format(text, node.min)
  end
  return text
end

local check

--- A problem as a line; the path is "" if the checked value has no name.
local function named(path, problem)
  return path == "" and problem or path .. ": " .. problem
end

local function check_scalar(value, node, path, problems, secret)
  local shown = secret and "a " .. type(value) or schema.show(value)
  if node.type and not has_type(value, node.type) then
    problems[#problems + 1] = named(path, ("expected %s, got %s"):format(schema.expected(node), shown))
    return false
  end
  if node.enum then
    for _, allowed in ipairs(node.enum) do
      if value == allowed then
        return true
      end
    end
    local near = type(value) == "string" and schema.nearest(value, node.enum)
    problems[#problems + 1] = named(path, ("%s is none of %s%s"):format(
      shown, words(node.enum), near and (" (did you mean %s?)"):format(near) or ""))
    return false
  end
  local in_range = type(value) ~= "number"
    or value >= (node.min or -math.huge) and value <= (node.max or math.huge) -- false for NaN
  if not in_range then
    problems[#problems + 1] = named(path, ("expected %s, got %s"):format(schema.expected(node), shown))
    return false
  end
  if node.test then
    local good = node.test(value)
    if good ~= true then
      local is_said = good and (type(value) == "table" or good:find("got ", 1, true))
      problems[#problems + 1] = named(path, is_said and good
        or good and ("%s; got %s"):format(good, shown)
        or ("expected %s, got %s"):format(schema.expected(node), shown))
      return false
    end
  end
  return true
end

local function join(path, key)
  return path == "" and tostring(key) or path .. "." .. tostring(key)
end

local function check_fields(value, fields, path, problems)
  for _, key in ipairs(sorted_keys(value)) do
    if not fields[key] then
      local near = schema.nearest(key, sorted_keys(fields))
      problems[#problems + 1] = ("%s: unknown; %s"):format(
        join(path, key), near and ("did you mean %s?"):format(near) or "it takes " .. words(sorted_keys(fields)))
    end
  end
  for _, key in ipairs(sorted_keys(fields)) do
    if value[key] ~= nil then
      check(value[key], fields[key], join(path, key), problems)
    elseif fields[key].required then
      problems[#problems + 1] = ("%s: missing; expected %s"):format(join(path, key), schema.expected(fields[key]))
    end
  end
end

function check(value, node, path, problems)
  if not check_scalar(value, node, path, problems, node.secret) or type(value) ~= "table" then
    return
  end
  if node.fields then
    check_fields(value, node.fields, path, problems)
  end
  if node.also then
    node.also(value, function(key, problem)
      problems[#problems + 1] = named(key == "" and path or join(path, key), problem)
    end)
  end
  if node.keys or node.values then
    for _, key in ipairs(sorted_keys(value)) do
      local actual = value[key] ~= nil and key or tonumber(key)
      if node.keys then
        check_scalar(actual, node.keys, join(path, key), problems)
      end
      if node.values and value[actual] ~= nil then
        check(value[actual], node.values, join(path, key), problems)
      end
    end
  end
end

--- Every mistake in `value`, one line each, in the order of the paths; empty if there is none.
---@param value any
---@param node rollcall.Schema
---@param path string? the name of the value itself, "" by default
---@return string[]
function schema.check(value, node, path)
  local problems = {}
  check(value, node, path or "", problems)
  return problems
end

return schema
