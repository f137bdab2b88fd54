-- What a page's response says besides its users: paging types decide by it.

local core = require "rollcall.core"

---@class rollcall.Answer
---@field position rollcall.Position of the page
---@field url string of its request
---@field base string the base URL, whose origin next links must have
---@field count integer the number of users on the page
---@field captured table<string, any> by JSON Pointer: numbers as text, arrays and objects as empty tables
---@field texts table<string, string> the same, as JSON text
---@field headers table<string, string|false> those that were read before; false: absent
---@field exchange rollcall.Exchange
local Answer = {}
Answer.__index = Answer

local answer = {}

-- Bytes of a value that an error shows.
local SHOWN = 40

--- For an array or an object an empty table: its content is not needed and can be large.
local function value_of(text, read, ...)
  if text == nil then
    return nil
  end
  local first = text:sub(1, 1)
  return (first == "{" or first == "[") and {} or read(...)
end

--- Reads what is needed from an exchange that is done.
---@param asked rollcall.Exchange
---@param position rollcall.Position
---@param base string
---@param pointers string[] those that its decoder captured
---@return rollcall.Answer
function answer.new(asked, position, base, pointers)
  local captured, texts = {}, {}
  for _, pointer in ipairs(pointers) do
    local text = asked.decoder:captured(pointer, "json")
    texts[pointer] = text
    captured[pointer] = value_of(text, asked.decoder.captured, asked.decoder, pointer, "text")
  end
  return setmetatable({
    position = position,
    url = asked.spec.url,
    base = base,
    count = asked.decoder:found(),
    captured = captured,
    texts = texts,
    headers = {},
    exchange = asked,
  }, Answer)
end

--- The joined value of all headers with a name; once read, it is known after the transfer is gone, too.
---@param name string
---@return string?
function Answer:header(name)
  if self.headers[name] == nil and self.exchange.transfer then
    self.headers[name] = self.exchange.transfer:header(name) or false
  end
  return self.headers[name] or nil
end

--- The value at a declared source: numbers as text; core.null for null; nil if it is absent.
---@param source string|{ header: string }|nil
---@return any
function Answer:at(source)
  if type(source) == "table" then
    return self:header(source.header)
  end
  return source and self.captured[source]
end

--- The JSON text of the value at a pointer; nil if there is none.
---@param pointer string
---@return string?
function Answer:json(pointer)
  return self.texts[pointer]
end

local function name_of(source)
  return type(source) == "table" and "header " .. source.header or source
end

Answer.name_of = name_of

--- The beginning of a server's text, in one line and without secrets. Secrets are removed before it is cut, because a
--- truncated one would not be recognized.
---@param text string
---@param most integer bytes
---@return string
function Answer:shown(text, most)
  return (self.exchange.client.redactor:clean(text, nil, most):gsub("[%z\1-\31\127]", " "))
end

--- A whole number; nil if it is absent, null, "" or negative, which means "unknown"; nil and what is wrong.
---@return integer?
---@return string? problem
function Answer:number(source)
  local value = self:at(source)
  if value == nil or value == core.null or value == "" or type(value) == "string" and value:find "^%-%d+$" then
    return nil
  end
  local number = type(value) == "string" and #value <= 64 and value:find("^%d+%.?0*$") and tonumber(value)
  if not number or number >= 2 ^ 53 then
    return nil, ("expected a count at %s, got %s"):format(name_of(source),
      type(value) == "string" and '"' .. self:shown(value, SHOWN) .. '"' or "a " .. type(value))
  end
  return math.floor(number)
end

local flags = { ["true"] = true, ["false"] = false, ["1"] = true, ["0"] = false }

--- True or false; nil if it is absent, null or ""; nil and what is wrong.
---@return boolean?
---@return string? problem
function Answer:flag(source)
  local value = self:at(source)
  if value == nil or value == core.null or value == "" then
    return nil
  elseif type(value) == "boolean" then
    return value
  end
  local meaning = flags[type(value) == "string" and value:lower()]
  if meaning == nil then
    return nil, ("expected true or false at %s, got %s"):format(name_of(source),
      type(value) == "string" and '"' .. self:shown(value, SHOWN) .. '"' or "a " .. type(value))
  end
  return meaning
end

--- The value at the first of these pointers that has one (not null, not ""), in the page's first or last item; nil if
--- none has.
---@param which "first"|"last"
---@param pointers string|string[]
---@param form "json"|nil "json": as JSON text
---@return any
function Answer:edge(which, pointers, form)
  for _, pointer in ipairs(type(pointers) == "table" and pointers or { pointers }) do
    local decoder = self.exchange.decoder
    local text = decoder:edge(which, pointer, "json")
    if text and text ~= "null" and text ~= '""' then
      return form and text or value_of(text, decoder.edge, decoder, which, pointer, "text")
    end
  end
  return nil
end

return answer
