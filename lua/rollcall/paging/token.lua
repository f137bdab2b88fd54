-- Page tokens: reading, checking, and which of them end a walk.

local core = require "rollcall.core"
local declared = require "rollcall.paging.declared"
local json = require "rollcall.json"
local schema = require "rollcall.schema"

local token = {}

-- Servers accept URLs of about 8 KiB, and a checkpoint contains the token: a longer one is nonsense.
local LONGEST = 65536

--- The declaration of paging types whose pages name the next one in their bodies.
token.schema = {
  next = schema.required(declared.source),
  previous = declared.source,
  more = declared.source,
  total = declared.source,
  --- What ends a walk.
  ends = declared.words { "null", "absent", "blank", "empty_page" },
  --- Strings that end a walk although they are in the place of a token.
  final = { type = "table", values = { type = "string" }, expected = "a list of tokens that end a walk" },
  size = declared.size,
  max_size = declared.max_size,
}

-- What ends a walk by default.
local DEFAULT = { null = true, absent = true, blank = true }

function token.captures(paging)
  return declared.pointers(paging.next, paging.previous, paging.more, paging.total)
end

function token.goes_back(paging)
  return paging.previous ~= nil
end

--- What a token is: a string, or any JSON value, which is kept as its JSON text and goes into a body unchanged.
token.form = { type = "string", enum = { "text", "json" } }

-- JSON that is not a token: what ends a walk, and flags.
local NO_TOKENS = { null = true, ['""'] = true, ["true"] = true, ["false"] = true }

--- Is a string the JSON text of one value?
local function is_json(text)
  local decoder = core.decoder { items = "/i", capture = { "/v" }, containers = true, max_depth = 2048 }
  return decoder:feed('{"i":[],"v":' .. text .. "}") and decoder:finish() and decoder:captured("/v", "json") == text
end

--- Can this token be sent? In a URL any byte can, in a header no control character.
---@param value any
---@param in_header boolean?
---@param form "text"|"json"|nil
---@return boolean
function token.is(value, in_header, form)
  if form == "json" then
    return token.is(value) and not NO_TOKENS[value] and is_json(value) == true
  end
  return type(value) == "string" and value ~= "" and #value <= LONGEST and not (in_header and value:find("%c"))
end

--- The position of the query's page_token, or of the first page; or nil and what is wrong.
function token.first(paging, query)
  local text, form = query.page_token, paging.token
  if text and not token.is(text, form ~= "json", form) then
    return nil, "expected a page token" .. (form == "json" and ", which is JSON text here" or "")
  end
  return { token = text }
end

--- Reports places that JSON tokens cannot be read from or sent in.
---@param paging table
---@param report fun(path: string, problem: string)
function token.check(paging, report)
  if paging.token ~= "json" then
    return
  elseif paging.body == nil then
    report("token", "json goes into a body; expected body instead of query and header")
  end
  for _, key in ipairs { "next", "previous" } do
    if type(paging[key]) == "table" then
      report(key, "no header has JSON; expected a JSON Pointer, since token is json")
    end
  end
  if paging.before ~= nil and (type(paging.before) ~= "table" or paging.before.body == nil) then
    report("before", "json goes into a body; expected { body = pointer }, since token is json")
  end
end

--- A token in the form in which it is put in its place.
---@param paging table
---@param text string
---@return string|table
function token.value(paging, text)
  return paging.token == "json" and json.raw(text) or text
end

--- Does the page end the walk whatever its token, by its flag or because it is empty? Backwards neither counts.
---@param paging table
---@param answer rollcall.Answer
---@param is_back boolean
---@return boolean? ended
---@return string? problem
---@return boolean? goes_on the flag says that there is more
function token.ended(paging, answer, is_back)
  local more, problem
  if paging.more and not is_back then
    more, problem = answer:flag(paging.more)
    if problem then
      return nil, problem
    end
  end
  if more == false then
    return true
  elseif answer.count == 0 and not more and not is_back and declared.has(paging.ends, "empty_page", DEFAULT) then
    return true
  end
  return false, nil, more
end

--- The token of the next page that a page names; nil if it ends the walk; nil and what is wrong.
---@param paging table
---@param answer rollcall.Answer
---@param source string|table
---@param what string such as "page token", for messages
---@return string?
---@return string? problem
function token.read(paging, answer, source, what)
  local value = answer:at(source)
  local where = answer.name_of(source)
  local missing = value == nil and "absent" or value == core.null and "null" or value == "" and "blank"
  if missing then
    if declared.has(paging.ends, missing, DEFAULT) then
      return nil
    end
    return nil, ("expected a %s at %s, which is %s; that is none of what ends a walk"):format(what, where, missing)
  end
  local text = value
  if paging.token == "json" and type(value) ~= "boolean" then
    text = answer:json(source)
  end
  if type(text) ~= "string" then
    return nil, ("expected a %s at %s, got a %s"):format(what, where, type(value))
  elseif #text > LONGEST then
    return nil, ("the %s at %s is too long to be sent: %d bytes"):format(what, where, #text)
  end
  for _, last in ipairs(paging.final or {}) do
    if value == last or text == last then
      return nil
    end
  end
  return text
end

return token
