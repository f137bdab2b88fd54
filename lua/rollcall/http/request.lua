-- The request for one page, made of the collection's declaration, the filters and the position of the page.
--
-- A place says where a value goes: the name of a query parameter, or one of
--   { query = name }, { header = name }, { body = pointer }, { path = name }
-- where `body` is a JSON Pointer into the request's JSON body. Its objects are created as needed; lists must be
-- declared.

local json = require "rollcall.json"
local pointers = require "rollcall.pointer"
local tables = require "rollcall.tables"
local url = require "rollcall.http.url"

---@alias rollcall.Place string|{ query: string?, header: string?, body: string?, path: string? }

---@class rollcall.Request
---@field method "GET"|"POST"
---@field parameters { [1]: string, [2]: string }[]
---@field headers string[]
---@field body table? of a POST
---@field path table<string, string> values of the {name}s in the path
---@field url string? an absolute one, instead of path and parameters
local Request = {}
Request.__index = Request

local request = {}

--- Headers as sent, one line each, in order.
---@param headers table<string, string>?
---@return string[]
function request.header_lines(headers)
  local lines = {}
  for _, name in ipairs(tables.keys(headers or {})) do
    lines[#lines + 1] = name .. ": " .. headers[name]
  end
  return lines
end

---@param collection rollcall.ProviderCollection
---@param headers table<string, string>? of every request of the provider
---@return rollcall.Request
function request.new(collection, headers)
  local self = setmetatable({ method = collection.method or "GET", parameters = {}, path = {},
    headers = request.header_lines(headers) }, Request)
  for _, name in ipairs(tables.keys(collection.parameters or {})) do
    self.parameters[#self.parameters + 1] = { name, collection.parameters[name] }
  end
  self.body = tables.copy(collection.body or (self.method == "POST" and {} or nil))
  return self
end

--- Another request that starts out like this one.
---@return rollcall.Request
function Request:copy()
  return setmetatable({
    method = self.method,
    parameters = tables.with(self.parameters, {}), -- pairs are never changed
    headers = tables.with(self.headers, {}),
    path = tables.with(self.path, {}),
    body = tables.copy(self.body),
    url = self.url,
  }, Request)
end

--- Is a step the index of a list's element (RFC 6901)?
local function is_index(step)
  return step:find "^%d+$" ~= nil and not step:find "^0%d"
end

--- The key of a step in a table of a body; in a list, which a step cannot extend, the index of an element.
local function key_of(at, step)
  return #at > 0 and is_index(step) and tonumber(step) + 1 or step
end

local function put_in_body(body, pointer, value)
  local list = pointers.steps(pointer)
  for i = 1, #list - 1 do
    local key = key_of(body, list[i])
    if type(body[key]) ~= "table" then
      body[key] = {}
    end
    body = body[key]
  end
  body[key_of(body, list[#list])] = value
end

--- Why a pointer cannot be put into the declared body; nil if it can.
---@param body table
---@param pointer string
---@return string? problem
function request.obstacle(body, pointer)
  local list, at = pointers.steps(pointer), body
  for i, step in ipairs(list) do
    local key = key_of(at, step)
    if at[key] == nil and (#at > 0 or i > 1 and next(at) == nil and is_index(step)) then
      return ("the list of %d in the declared body has no member %s"):format(#at, step)
    elseif i < #list and at[key] ~= nil and type(at[key]) ~= "table" then
      return ("%s in the declared body is no object"):format(step)
    end
    at = at[key]
    if at == nil then
      return nil
    end
  end
  return nil
end

--- A value as a string; a whole number without a fraction.
local function text_of(value)
  return type(value) == "number" and json.number(value) or tostring(value)
end

--- Puts a value, or a list of values, into a place.
---@param place rollcall.Place
---@param value any
---@param list "comma"|"repeat"|"bracket"|"array"|nil how a list is written
function Request:put(place, value, list)
  if type(place) == "string" then
    place = { query = place }
  end
  if place.body and not (type(value) == "table" and list == "comma") then
    put_in_body(self.body, place.body, value)
    return
  end
  local texts = {}
  for i, one in ipairs(type(value) == "table" and value or { value }) do
    texts[i] = text_of(one)
  end
  if place.query and (list == "repeat" or list == "bracket") then
    local name = place.query .. (list == "bracket" and "[]" or "")
    for _, text in ipairs(texts) do
      self.parameters[#self.parameters + 1] = { name, text }
    end
    return
  end
  local text = table.concat(texts, ",")
  if place.body then
    put_in_body(self.body, place.body, text)
  elseif place.query then
    self.parameters[#self.parameters + 1] = { place.query, text }
  elseif place.header then
    self.headers[#self.headers + 1] = place.header .. ": " .. text
  else
    self.path[place.path] = text
  end
end

--- The name of the query parameter that a place is; nil for any other place.
---@param place rollcall.Place?
---@return string?
function request.query_name(place)
  if type(place) == "table" then
    return place.query
  end
  return place
end

--- The name of a place in messages.
---@param place rollcall.Place
---@return string
function request.describe(place)
  if type(place) == "string" then
    return "parameter " .. place
  elseif place.body then
    return "field " .. place.body .. " of the body"
  end
  return place.query and "parameter " .. place.query or "header " .. place.header
end

--- The URL of the request.
---@param base string without a slash at its end
---@param path string the collection's
---@param variables table<string, string> values of the {name}s in it, besides the request's own
---@param names table<string, string> other names to send parameters by
---@return string
function Request:address(base, path, variables, names)
  if self.url then
    return self.url
  end
  local values = tables.with(variables, self.path)
  local parameters = self.parameters
  if next(names) then
    parameters = {}
    for i, pair in ipairs(self.parameters) do
      local plain = pair[1]:match "^(.-)%[%]$"
      local renamed = names[pair[1]] or plain and names[plain] and names[plain] .. "[]"
      parameters[i] = renamed and { renamed, pair[2] } or pair
    end
  end
  local address = base .. url.expand(path, values, url.encode)
  return #parameters > 0 and address .. "?" .. url.encode_query(parameters) or address
end

--- The JSON text of the body; nil for none.
---@return string?
function Request:text()
  return self.body and json.encode(self.body) or nil
end

return request
