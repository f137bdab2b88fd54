-- Schemas that several parts of a declaration share: names, paths, URLs.

local url = require "rollcall.http.url"

local nodes = {}

--- A name that the declaration gives: of the provider, of a collection, of a filter.
nodes.name = { type = "string", expected = "a name of letters, digits and _",
  test = function(value) return value:find("^[%a_][%w_]*$") ~= nil end }

--- A header's value.
nodes.text = { type = "string", expected = "a text without control characters", test = function(value)
  return not value:find("%c")
end }

--- What is wrong with the {name}s in a string; true if nothing is.
local function check_names(text, options, path_filters)
  if text:gsub("{[%w_]*}", ""):find("[{}]") then
    return "a brace that is no part of an {option}"
  end
  for name in text:gmatch("{([%w_]*)}") do
    local option = type(options) == "table" and options[name]
    if path_filters and path_filters[name] then
      if type(option) == "table" then
        return ("{%s} is an option and a filter; it can be one of them"):format(name)
      end
    elseif type(option) ~= "table" then
      return ("{%s} is none of its options%s"):format(name, path_filters and ", and no filter goes there" or "")
    elseif not option.required then
      return ("{%s}: an option that it stands for must have required = true"):format(name)
    end
  end
  return true
end

--- A path, with {name}s of options, and of filters if it may have some.
---@param options any the provider's, as given
---@param path_filters table<string, boolean>? the names of filters in the path
---@return rollcall.Schema
function nodes.path(options, path_filters)
  return { type = "string", expected = "a path that begins with /", test = function(value)
    if value:sub(1, 1) == "/" and value:find("?", 1, true) then
      return "a query in it; it goes into parameters"
    end
    return value:sub(1, 1) == "/" and not value:find("[%c%s?#]") and check_names(value, options, path_filters)
  end }
end

--- A string with {name}s of options.
---@param options any
---@return rollcall.Schema
function nodes.template(options)
  return { type = "string", secret = true, test = function(value)
    return check_names(value, options)
  end }
end

--- The URL of an API.
nodes.base_url = { type = "string", secret = true, expected = "an https URL without a query", test = function(value)
  local parsed, problem = url.parse(value)
  return parsed and (parsed.scheme == "https" or url.is_loopback(parsed)) and not parsed.path:find("?", 1, true)
    or problem or false
end }

--- The URL of a token endpoint, with {option}s in its path.
---@param options any
---@return rollcall.Schema
function nodes.url(options)
  return { type = "string", secret = true, expected = nodes.base_url.expected, test = function(value)
    local named = check_names(value, options)
    if named ~= true then
      return named
    elseif (value:match "^[^/]*//[^/]*" or ""):find("{", 1, true) then
      return "an option stands in its path only, not in its host"
    end
    return nodes.base_url.test((value:gsub("{[%w_]*}", "x")))
  end }
end

--- How an answer is recognized: by its status and a string in its body. A 2xx answer is checked only if it has no
--- items.
nodes.answer = { type = "table", fields = {
  status = { type = "integer", min = 200, max = 599, required = true },
  message = { type = "string", required = true, expected = "a text that is in its body", test = function(value)
    return value ~= ""
  end },
} }

--- The same, or a list of them.
---@param declared any
---@return rollcall.Schema
function nodes.answers(declared)
  local is_list = type(declared) == "table" and declared[1] ~= nil
  return is_list and { type = "table", values = nodes.answer } or nodes.answer
end

return nodes
