-- Common field names: a provider's rules that map them to its records.
--
-- A rule is a JSON Pointer or one of
--   { value = v }                               always v
--   { option = "account" }                      an option of the client
--   { present = p, yes = v, no = w }            v if there is a value at p, otherwise w
--   { any = { p… }, within = q }                true if one of them is true; false if none is, but there is a value
--                                               at q; otherwise nil
--   { each = p, take = q }                      the list of the values at q in each element of p
--   { list = { p… } }                           the list of the values at each of them; nil if there are none
--   { flag = p, yes = v, no = w }               v if the value at p is true, w if it is false, otherwise nil
--   { map = p, to = { on = "ACTIVE" } }         the value in `to` for the string, number or boolean at p, by its text;
--                                               if there is none, as for whole numbers beyond 2^53, the value at p
--   { epoch = p, unit = "ms" }                  the RFC 3339 time for seconds ("s", the default) or milliseconds since
--                                               1970, a number or its text; nil for 0 and below, which mean "never",
--                                               and for anything that is not such a time
--   { pick = p, where = q, take = r }           the value at r in the element of p that has true at q, otherwise in
--                                               the first one; with `equals = v` in the one that has v at q, or nil
--   { join = { p… }, with = " " }               the strings at each of them, joined; nil if there are none
--   { first = { rule… } }                       the result of the first of these rules that has one (not nil, not "")

local core = require "rollcall.core"
local json = require "rollcall.json"
local path = require "rollcall.path"
local schema = require "rollcall.schema"
local tables = require "rollcall.tables"

local at = core.at
local fields = {}

local one = schema.pointer
local step = { type = "string", required = true, expected = "a JSON Pointer of one step", test = function(value)
  return value:find("^/[^/~]+$") ~= nil
end }
local several = { type = "table", required = true, expected = "a list of JSON Pointers", values = one }
local constant = { type = "string|number|boolean" }

-- The fields of each kind of rule, by the field that names it.
local kinds = {
  value = { value = constant },
  option = { option = { type = "string" } },
  present = { present = one, yes = constant, no = constant },
  any = { any = several, within = one },
  each = { each = one, take = step },
  list = { list = several },
  flag = { flag = one, yes = constant, no = constant },
  map = { map = one, to = { type = "table", required = true, keys = { type = "string" }, values = constant } },
  epoch = { epoch = one, unit = { type = "string", enum = { "s", "ms" } } },
  pick = { pick = one, where = step, take = step, equals = constant },
  join = { join = several, with = { type = "string" } },
}

-- Every key of every kind, so that a misspelt one is reported.
local every = { first = {} }
for _, taken in pairs(kinds) do
  for key in pairs(taken) do
    every[key] = {}
  end
end

--- The schema of one rule.
---@param rule any
---@param options table? the provider's; `option` takes their names
---@return rollcall.Schema
function fields.schema(rule, options)
  if type(rule) == "string" then
    return one
  elseif type(rule) == "table" and rule.first ~= nil then
    return { type = "table", fields = { first = { type = "table", expected = "a list of rules", test = function(value)
      return #value > 0
    end } }, also = function(value, report)
      for i, each in ipairs(type(value.first) == "table" and value.first or {}) do
        for _, problem in ipairs(schema.check(each, fields.schema(each, options))) do
          report("first." .. i, problem)
        end
      end
    end }
  end
  for kind, taken in pairs(type(rule) == "table" and kinds or {}) do
    if rule[kind] ~= nil then
      return { type = "table", fields = taken, also = function(value, report)
        if kind == "option" and type(value.option) == "string"
          and not (type(options) == "table" and options[value.option] ~= nil) then
          report("option", schema.show(value.option) .. " is none of the provider's options")
        end
      end }
    end
  end
  return { type = "string|table", expected = "a JSON Pointer or a rule", fields = every, also = function(_, report)
    report("", "a rule has one of value, option, present, any, each, list, flag, map, epoch, pick, join, first")
  end }
end

local compilers = {}

function compilers.value(rule)
  return { rule.value }
end

function compilers.option(rule, options)
  return { options[rule.option] }
end

function compilers.present(rule)
  local pointer, yes, no = rule.present, rule.yes, rule.no
  return function(user)
    if at(user, pointer) ~= nil then
      return yes
    end
    return no
  end
end

function compilers.any(rule)
  local pointers, within = rule.any, rule.within
  return function(user)
    local known = within and at(user, within) ~= nil
    for _, pointer in ipairs(pointers) do
      if at(user, pointer) == true then
        return true
      end
    end
    if known then
      return false
    end
    return nil
  end
end

function compilers.each(rule)
  local pointer, take = rule.each, rule.take:sub(2)
  return function(user)
    local elements = at(user, pointer)
    if type(elements) ~= "table" then
      return nil
    end
    local list = {}
    for _, element in ipairs(elements) do
      if type(element) == "table" and element[take] ~= nil then
        list[#list + 1] = element[take]
      end
    end
    return list
  end
end

function compilers.list(rule)
  local pointers = rule.list
  return function(user)
    local list = {}
    for _, pointer in ipairs(pointers) do
      list[#list + 1] = at(user, pointer)
    end
    return #list > 0 and list or nil
  end
end

function compilers.flag(rule)
  local pointer, yes, no = rule.flag, rule.yes, rule.no
  return function(user)
    local value = at(user, pointer)
    if type(value) == "string" then -- some services write "True"
      value = ({ ["true"] = true, ["false"] = false })[value:lower()]
    end
    if value == true then
      return yes
    elseif value == false then
      return no
    end
    return nil
  end
end

function compilers.map(rule)
  local pointer, to = rule.map, tables.copy(rule.to)
  return function(user)
    local value = at(user, pointer)
    if value == nil then
      return nil
    end
    local mapped = to[type(value) == "number" and json.number(value == 0 and 0 or value) or tostring(value)]
    if mapped == nil then
      return value
    end
    return mapped
  end
end

-- The first second of the year 10000, which RFC 3339 cannot write.
local BEHIND_LAST = 253402300800

function compilers.epoch(rule)
  local pointer, is_ms = rule.epoch, rule.unit == "ms"
  local time -- loaded on demand: most scripts do not need it
  return function(user)
    local value = at(user, pointer)
    if type(value) == "string" and #value <= 32 and value:find "^%d+%.?%d*$" then -- a longer one would take long
      value = tonumber(value)
    end
    if type(value) ~= "number" or not (value > 0 and value < BEHIND_LAST * (is_ms and 1000 or 1)) then
      return nil
    end
    time = time or require "rollcall.time"
    local shown = time.format(is_ms and math.floor(value / 1000) or value)
    return is_ms and ("%s.%03dZ"):format(shown:sub(1, -2), math.floor(value % 1000)) or shown
  end
end

function compilers.pick(rule)
  local pointer, where, take, equals = rule.pick, rule.where:sub(2), rule.take:sub(2), rule.equals
  local wanted = equals == nil and true or equals
  return function(user)
    local elements = at(user, pointer)
    local first
    for _, element in ipairs(type(elements) == "table" and elements or {}) do
      local value = type(element) == "table" and element[take]
      if value and element[where] == wanted then
        return value
      elseif value and first == nil and equals == nil then
        first = value
      end
    end
    return first
  end
end

function compilers.join(rule)
  local pointers, between = rule.join, rule.with or " "
  return function(user)
    local texts = {}
    for _, pointer in ipairs(pointers) do
      local value = at(user, pointer)
      if type(value) == "string" and value ~= "" then
        texts[#texts + 1] = value
      end
    end
    return #texts > 0 and table.concat(texts, between) or nil
  end
end

--- A rule compiled to what record_type.new takes.
local function compile(rule, options)
  if type(rule) == "string" then
    return rule
  end
  for kind, compiler in pairs(compilers) do
    if rule[kind] ~= nil then
      return compiler(rule, options)
    end
  end
end

function compilers.first(rule, options)
  local makers = {}
  for i, each in ipairs(rule.first) do
    local made = compile(each, options)
    makers[i] = type(made) == "function" and made or function(user)
      if type(made) == "string" then
        return at(user, made)
      end
      return made[1]
    end
  end
  return function(user)
    for _, make in ipairs(makers) do
      local value = make(user)
      if value ~= nil and value ~= "" then
        return value
      end
    end
    return nil
  end
end

--- The JSON Pointers that a rule reads; for the elements of a list, those of the first one.
---@param rule string|table
---@return string[]
function fields.pointers(rule)
  if type(rule) == "string" then
    return { rule }
  end
  local list = {}
  for _, each in ipairs(rule.first or {}) do
    for _, pointer in ipairs(fields.pointers(each)) do
      list[#list + 1] = pointer
    end
  end
  for _, pointers in ipairs { rule.any or {}, rule.list or {}, rule.join or {} } do
    for _, pointer in ipairs(pointers) do
      list[#list + 1] = pointer
    end
  end
  list[#list + 1] = rule.present
  list[#list + 1] = rule.flag or rule.map or rule.epoch
  local elements = rule.each or rule.pick
  list[#list + 1] = elements and elements .. "/0" .. rule.take
  return list
end

--- The common fields of a provider's records, for record_type.new.
---@param rules table<string, string|table>? the provider's
---@param provider string its name
---@param options table<string, string> of the client
---@return table<string, string|function|table>
function fields.common(rules, provider, options)
  local common = { provider = { provider } }
  for name, rule in pairs(rules or {}) do
    common[name] = compile(rule, options)
  end
  return common
end

--- The rules of some fields of a provider's records, for core.selection.
---@param common table from fields.common
---@param names string[] as path.compile takes them
---@return (string|function|table)[]
function fields.rules_of(common, names)
  local list = {}
  for i, name in ipairs(names) do
    local is_pointer = name:sub(1, 1) == "/"
    list[i] = not is_pointer and common[name] or path.pointer(name) or path.compile(name)
  end
  return list
end

return fields
