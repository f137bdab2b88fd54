-- Common field names: what a provider's rules mean for its records.
--
-- A rule is a JSON Pointer or one of
--   { value = v }                               always v
--   { option = "account" }                      an option of the client
--   { present = p, yes = v, no = w }            v where something stands at p, w elsewhere
--   { any = { p… }, within = q }                true where one of them is true, false where none is
--                                               but something stands at q, else nil
--   { each = p, take = q }                      the list of what stands at q in each element of p
--   { list = { p… } }                           the list of what stands at each of them; nil for none

local core = require "rollcall.core"
local schema = require "rollcall.schema"

local at = core.at
local fields = {}

local one = schema.pointer
local several = { type = "table", required = true, expected = "a list of JSON Pointers", values = one }
local constant = { type = "string|number|boolean" }

-- What each kind of rule takes, by the field that names it.
local kinds = {
  value = { value = constant },
  option = { option = { type = "string" } },
  present = { present = one, yes = constant, no = constant },
  any = { any = several, within = one },
  each = { each = one, take = { type = "string", required = true, expected = "a JSON Pointer of one step",
    test = function(value)
      return value:find("^/[^/~]+$") ~= nil
    end } },
  list = { list = several },
}

-- Of a rule of no known kind: so that a misspelt key is named.
local every = {}
for _, taken in pairs(kinds) do
  for key in pairs(taken) do
    every[key] = {}
  end
end

--- The schema of one rule.
---@param rule any
---@param options table? the provider's, whose names `option` takes
---@return rollcall.Schema
function fields.schema(rule, options)
  if type(rule) == "string" then
    return one
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
    report("", "a rule has one of value, option, present, any, each, list")
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

--- Makes the type of a provider's records.
---@param rules table<string, string|table>? the provider's
---@param provider string its name
---@param options table<string, string> of the client
---@return table type for core.decoder
function fields.record_type(rules, provider, options)
  local common = { provider = { provider } }
  for name, rule in pairs(rules or {}) do
    if type(rule) == "string" then
      common[name] = rule
    else
      for kind, compile in pairs(compilers) do
        if rule[kind] ~= nil then
          common[name] = compile(rule, options)
        end
      end
    end
  end
  return core.record_type(common)
end

return fields
