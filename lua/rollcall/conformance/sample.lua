-- Values that a declaration accepts, for the conformance kit: of options by their Lua patterns, of filters by their
-- declarations.

local sample = {}

-- The sample of each character class.
local CLASSES = { a = "a", d = "1", l = "a", u = "A", w = "a", x = "a", s = " ", p = "-", g = "a" }

--- A character of a set such as [%d_], and the position of its end; nil for a complement.
local function of_set(pattern, at)
  if pattern:sub(at + 1, at + 1) == "^" then
    return nil
  end
  local class = pattern:match("^%%(%a)", at + 1)
  local character = class and CLASSES[class] or pattern:sub(at + 1, at + 1) == "%" and pattern:sub(at + 2, at + 2)
    or pattern:sub(at + 1, at + 1)
  local last = at + 2
  while last <= #pattern and pattern:sub(last, last) ~= "]" do
    last = last + (pattern:sub(last, last) == "%" and 2 or 1)
  end
  return character, last
end

--- A short string that a Lua pattern matches; nil if the pattern is too complex.
local function of_pattern(pattern)
  local parts, at = {}, 1
  while at <= #pattern do
    local c = pattern:sub(at, at)
    local character, last = c, at
    if c == "%" then
      local class = pattern:sub(at + 1, at + 1)
      character, last = CLASSES[class] or not class:find("%w") and class or nil, at + 1
    elseif c == "[" then
      character, last = of_set(pattern, at)
    elseif c == "." then
      character = "a"
    elseif c == "(" or c == ")" or c == "^" and at == 1 or c == "$" and at == #pattern then
      character = ""
    end
    if not character then
      return nil
    end
    local quantifier = pattern:sub(last + 1, last + 1)
    if character ~= "" and quantifier ~= "" and ("*-?"):find(quantifier, 1, true) then
      character, last = quantifier == "*" and character or "", last + 1
    elseif character ~= "" and quantifier == "+" then
      last = last + 1
    end
    parts[#parts + 1] = character
    at = last + 1
  end
  local text = table.concat(parts)
  return text ~= "" and text:find(pattern) and text or nil
end

--- A string that one of these Lua patterns matches; nil if none can be made.
---@param patterns string|string[]
---@return string?
function sample.of_patterns(patterns)
  for _, pattern in ipairs(type(patterns) == "table" and patterns or { patterns }) do
    local text = of_pattern(pattern)
    if text then
      return text
    end
  end
end

local FORMATS = { uuid = "0f8fad5b-d9cb-469f-a165-70867728950e", date = "2026-01-31",
  ["date-time"] = "2026-01-31T12:00:00Z", boolean = true }

--- A value that a filter accepts; nil if none can be made.
---@param filter rollcall.ProviderFilter
---@return any
function sample.of_filter(filter)
  local value
  if filter.enum then
    value = filter.enum[1]
  elseif filter.format == "integer" then
    value = filter.min or filter.max or 1
  elseif filter.pattern then
    value = sample.of_patterns(filter.pattern)
  else
    value = FORMATS[filter.format] or "a b&c=d/e"
  end
  if filter.list and value ~= nil then
    return { value }
  end
  return value
end

return sample
