-- Selection: "status=ACTIVE", "last_seen_at<90d", as a function of a user.
--
-- FIELD OPERATOR VALUE. A field is a name, names with dots ("department.name") or a JSON Pointer, whose ~0 and ~1 are
-- not operators. The value is the rest, without surrounding white space; double quotes keep the white space, and a
-- value that begins with = < > or ~ must be in double quotes. The operators:
--
--   =  !=           equal: strings exactly, times by the instant, numbers by value, true and false; of a list, one of
--                   its elements. A date alone equals any time on that day. Without a value: absent (null, empty),
--                   or not absent
--   ~  !~           contains, ignoring case; of a list, one of its elements does
--   < <= > >=       numbers by value; times by RFC 3339 or by a duration back from now ("90d" is the moment 90 days
--                   ago, so <90d is longer ago than that); strings by their bytes
--
-- With a value, != and !~ are true for an absent field and all others are false, with one exception: an absent
-- last_seen_at means never, which is longer ago than any time.

local fold = require "rollcall.fold"
local path = require "rollcall.path"
local schema = require "rollcall.schema"
local tables = require "rollcall.tables"
local time = require "rollcall.time"

---@alias rollcall.Predicate fun(user: rollcall.User|table): boolean

---@class rollcall.WhereOptions
---@field now number? seconds since 1970 from which durations count back; os.time() by default

local where = {}

local DAY = 86400

--- An absent last_seen_at means never, longer ago than any time; other absent fields are unknown.
local absent_is_never = { last_seen_at = true }

--- Fields that are always times: comparing them with anything else is a mistake.
local is_time = { last_seen_at = true, created_at = true, updated_at = true, deleted_at = true,
  createdDateTime = true, lastLoggedInDateTime = true }

local comparisons = {
  ["<"] = function(a, b) return a < b end,
  ["<="] = function(a, b) return a <= b end,
  [">"] = function(a, b) return a > b end,
  [">="] = function(a, b) return a >= b end,
}

--- Is `matches` true for the value or, for a list, one of its elements?
local function any(value, matches)
  if type(value) ~= "table" then
    return matches(value)
  end
  for _, element in ipairs(value) do
    if matches(element) then
      return true
    end
  end
  return false
end

--- The text as seconds since 1970: a time, a date, or a duration before now; nil if it is none of them.
local function moment(text, now)
  local back = time.duration(text)
  return back and now - back or time.parse(text)
end

--- A decimal number, the same on every Lua; nil for any other string.
local function number_of(text)
  return text:find "^[+-]?%.?%d" and not text:find "[xXbBpPuU]" and tonumber(text) or nil
end

local function equals(text)
  local number = number_of(text)
  local day = text:find "^%d%d%d%d%-%d%d%-%d%d$" and time.parse(text)
  local instant = not day and time.parse(text)
  return function(value)
    if type(value) == "string" then
      if value == text then
        return true
      end
      local at = (day or instant) and time.parse(value)
      return at ~= nil and at ~= false and (instant and at == instant or day and at >= day and at < day + DAY) or false
    elseif type(value) == "number" then
      return value == number
    end
    return tostring(value) == text
  end
end

local function contains(text)
  local folded = fold.lower(text)
  return function(value)
    if type(value) == "string" or type(value) == "number" then
      return fold.lower(tostring(value)):find(folded, 1, true) ~= nil
    end
    return false
  end
end

local function is_absent(value)
  return value == nil or value == "" or type(value) == "table" and next(value) == nil
end

local function ordered(name, operator, text, now)
  local compare, number, limit = comparisons[operator], number_of(text), moment(text, now)
  local of_never = absent_is_never[name] and limit and operator:sub(1, 1) == "<" or false
  return function(value)
    if is_absent(value) then
      return of_never
    elseif type(value) == "number" then
      return number ~= nil and compare(value, number)
    elseif type(value) ~= "string" then
      return false
    end
    local at = limit and time.parse(value)
    if at then
      return compare(at, limit)
    end
    return not limit and compare(value, text)
  end
end

--- The parts of an expression, each without surrounding white space; nil if it is not valid, such as a==b.
local function split(expression)
  -- In a JSON Pointer, ~0 and ~1 are part of a name.
  local first = expression:gsub("^%s*/[^=!<>]*", function(pointer)
    return (pointer:gsub("~[01]", "  "))
  end):find "[=!~<>]"
  local name = first and expression:sub(1, first - 1):match "^%s*(.-)%s*$"
  if not name or name == "" then
    return nil
  end
  local rest = expression:sub(first)
  local operator = rest:match "^[!<>]=" or rest:match "^!~" or rest:match "^[=~<>]"
  if not operator then
    return nil
  end
  local text = rest:sub(#operator + 1):match "^%s*(.-)%s*$"
  if text:find "^[=<>~]" then
    return nil
  end
  return name, operator, text:match '^"(.*)"$' or text
end

--- Compiles one expression; or returns nil and what is wrong with it, for expressions that a person has typed.
---@param expression string
---@param options rollcall.WhereOptions?
---@return (fun(user: rollcall.User|table): boolean)? predicate
---@return string problem, or the field's name
function where.compile(expression, options)
  local name, operator, text = split(expression)
  if not name then
    local likely = expression:gsub("==+", "=", 1)
    return nil, ("%q: expected FIELD, one of = != ~ !~ < <= > >=, and a value (in double quotes where it begins with "
      .. "= < > or ~)%s"):format(expression, split(likely) and ("; did you mean %s?"):format(likely) or "")
  end
  local is_name, limit = path.is_name(name)
  if not is_name then
    return nil, ("%q: %q is no field's name%s"):format(expression, name, limit)
  end
  local get = path.compile(name)
  local test
  if text == "" and not operator:find "^!?=" then
    return nil, ("%q: expected a value behind %s"):format(expression, operator)
  elseif comparisons[operator] then
    local now = options and options.now or os.time()
    if is_time[name:gsub("^/", "")] and not moment(text, now) then
      return nil, ("%q: %q is no time; expected RFC 3339, a date such as 2025-10-03, or a duration such as 90d"):format(
        expression, text)
    end
    test = ordered(name, operator, text, now)
  elseif text == "" then
    test = is_absent
  else
    local matches = operator:find "=" and equals(text) or contains(text)
    test = function(value)
      return value ~= nil and any(value, matches)
    end
  end
  if operator:sub(1, 1) == "!" then
    return function(user)
      return not test(get(user))
    end, name
  end
  return function(user)
    return test(get(user))
  end, name
end

--- A predicate for stream:filter: true for users for whom all expressions hold.
---@param expressions string|string[]
---@param options rollcall.WhereOptions?
---@return rollcall.Predicate
function where.all(expressions, options)
  if type(expressions) == "string" then
    expressions = { expressions }
  elseif type(expressions) ~= "table" or not tables.is_list(expressions) then
    error("where: expected an expression such as status=ACTIVE, or a list of them", 2)
  end
  local mistake = schema.check(options or {}, { type = "table", fields = { now = { type = "number" } } })[1]
  if mistake then
    error("where: " .. mistake, 2)
  end
  local tests = {}
  for i, expression in ipairs(expressions) do
    if type(expression) ~= "string" then
      error(("where: %d: expected a text, got a %s"):format(i, type(expression)), 2)
    end
    local test, problem = where.compile(expression, options)
    if not test then
      error("where: " .. problem, 2)
    end
    tests[i] = test
  end
  return function(user)
    path.check_user("where", user)
    for i = 1, #tests do
      if not tests[i](user) then
        return false
      end
    end
    return true
  end
end

return where
