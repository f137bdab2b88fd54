-- What an answer says is wrong: its status, its headers, a document of one of the usual shapes.

local core = require "rollcall.core"
local declared_answer = require "rollcall.http.declared_answer"
local header = require "rollcall.http.header"
local json = require "rollcall.json"
local pointers = require "rollcall.pointer"
local rate_limits = require "rollcall.http.rate_limits"

local problem = {}

-- Headers with the server's request id: the usual ones, then those of GitHub, Okta and Amazon.
local REQUEST_IDS = { "x-request-id", "request-id", "x-correlation-id", "x-github-request-id", "x-okta-request-id",
  "x-amzn-requestid" }

--- The server's id of the request, to quote to its support.
---@param transfer rollcall.Transfer
---@return string?
function problem.request_id(transfer)
  for _, name in ipairs(REQUEST_IDS) do
    local id = transfer:header(name)
    if id then
      return id
    end
  end
end

--- Is the answer an HTML page, such as a proxy's?
---@param transfer rollcall.Transfer
---@return boolean
function problem.is_html(transfer)
  return (transfer:header("content-type") or ""):lower():find("html", 1, true) ~= nil
end

--- The name of an answer that begins with "<", by its content type.
---@param transfer rollcall.Transfer
---@return "HTML"|"XML"
function problem.markup(transfer)
  local content_type = (transfer:header("content-type") or ""):lower()
  return content_type:find("xml", 1, true) and not problem.is_html(transfer) and "XML" or "HTML"
end

local function first_text(...)
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if type(value) == "string" and value:find "%S" then
      return value
    end
  end
end

local function first_table(...)
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if type(value) == "table" then
      return value
    end
  end
end

--- The only member of a document, if that is an object.
local function only_member(document)
  local name, value = next(document)
  return name ~= nil and next(document, name) == nil and type(value) == "table" and value or nil
end

--- The message and the code of an error document: { error = { code, message } }, { message }, problem details (RFC
--- 9457), { error = "…", error_description = "…" } (RFC 6749), { errorCode, errorSummary }, { code, msg }; of a list of
--- errors, or one in `errors` (JSON:API, GraphQL), of the first one; of { response = { … } } what is in it.
---@param document any decoded
---@return string? message
---@return string? code
function problem.read(document)
  if type(document) ~= "table" then
    return first_text(document), nil
  end
  document = first_table(document[1], document)
  local errors = first_table(document.errors)
  local first = errors and errors[1]
  local inner = first_table(document.error, document.fault, first, errors, document)
  local message = first_text(inner.message, inner.detail, document.message, document.detail, document.errorSummary,
    document.error_description, document.title, inner.title, inner.msg, document.msg, document.error_message,
    document.errorMessage, document.errmsg, inner.reason, inner.faultstring, first, document.error)
  local code = inner.code or document.errorCode or document.error_code or document.errcode or document.code
    or (type(document.error) == "string" and document.error)
  if not message and not code and only_member(document) then
    return problem.read(only_member(document))
  end
  return message, type(code) == "number" and json.number(code) or type(code) == "string" and code or nil
end

-- Values that mean that nothing is wrong.
local FINE = { ["200"] = true, ok = true, success = true, ["false"] = true, [""] = true, none = true, null = true,
  ["no error"] = true, no_error = true }

--- Does a field's value say that something is wrong? An object's code decides, if it has one.
local function is_wrong(value)
  if value == nil or value == core.null then
    return false
  elseif type(value) == "table" then
    local code = value.code or value.number
    if code ~= nil and type(code) ~= "table" then
      return is_wrong(code)
    end
    for _, member in pairs(value) do
      if is_wrong(member) then
        return true
      end
    end
    return false
  end
  local text = (type(value) == "number" and json.number(value) or tostring(value)):lower()
  return not (FINE[text] or text:find "^0+$")
end

-- Member names (lower case, without underscores) that indicate an error, and how each does.
local TELLS = { error = "problem", errors = "problem", errorcode = "code", errcode = "code", errormessage = "message",
  errormsg = "message", errmsg = "message", fault = "problem", ok = "flag", success = "flag", succeeded = "flag",
  issuccess = "flag", status = "status" }
local FLAGS = { [true] = true, ["true"] = true, [false] = false, ["false"] = false }
local SAYS_NOTHING = { [core.null] = true, [""] = true, none = true, null = true }
local BAD_STATUS = { error = true, fail = true, failed = true, failure = true }

--- Does a document without users say by one of the usual names that it is an error document? It may have an empty list
--- of users all the same. A message counts only if no code or flag says that all is well. Of { response = { … } } what
--- is in it counts.
---@param document any decoded
---@return boolean
function problem.says_error(document)
  local inside = type(document) == "table" and only_member(document)
  if inside and not inside[1] and problem.says_error(inside) then
    return true
  end
  local is_bad, is_good, has_message = false, false, false
  for name, value in pairs(type(document) == "table" and document or {}) do
    local kind = type(name) == "string" and TELLS[name:lower():gsub("_", "")]
    local word = type(value) == "string" and value:lower() or value
    if name == "ok" and (value == 0 or value == 1) then
      word = value == 1
    end
    if kind == "message" then
      has_message = has_message or is_wrong(value)
    elseif kind == "flag" then
      is_bad, is_good = is_bad or FLAGS[word] == false, is_good or FLAGS[word] == true
    elseif kind == "status" then
      is_bad = is_bad or BAD_STATUS[word] == true
    elseif kind then
      is_bad, is_good = is_bad or is_wrong(value), is_good or kind == "code" and not SAYS_NOTHING[value]
    end
  end
  return is_bad or has_message and not is_good
end

--- The same for a token endpoint's answer without a token: there a number in `code` counts, too.
---@param document table decoded
---@return boolean
function problem.refuses_token(document)
  return problem.says_error(document) or type(document.code) == "number" and is_wrong(document.code)
end

--- Adds the strings in a value to a list.
local function add_texts(value, list)
  if type(value) == "string" then
    list[#list + 1] = value
  end
  for _, member in pairs(type(value) == "table" and value or {}) do
    add_texts(member, list)
  end
end

--- Adds the strings, at any depth, under names that mention tokens or other credentials.
local function add_tokens(document, list)
  for name, value in pairs(document) do
    local lower = type(name) == "string" and name:lower() or ""
    if header.is_of_credentials(lower) then
      add_texts(value, list)
    elseif type(value) == "table" then
      add_tokens(value, list)
    end
  end
end

--- What may be shown of a token endpoint's unsuccessful answer: nothing that may be a token. A text is shown only if it
--- is a sentence, a document only if none of its names mentions tokens.
---@param body string
---@param document any the same, decoded
---@param message string? the document's own
---@param place string? JSON Pointer of the token, as the provider declares it
---@return boolean is_shown the body may be shown
---@return string? message if it may be shown
function problem.without_token(body, document, message, place)
  if type(document) ~= "table" then
    local line = message or problem.first_line(body) or ""
    local is_sentence = line:find "^[%w<][^{}]*[%s>]%w" ~= nil and not body:lower():find "token%W*[=:]"
    return is_sentence, is_sentence and message or nil
  end
  local tokens = {}
  add_tokens(document, tokens)
  add_texts(place and pointers.get(document, place), tokens)
  for _, token in ipairs(tokens) do
    if message and message:find(token, 1, true) then
      message = nil
    end
  end
  return #tokens == 0, message
end

--- Has an object, or an object directly in it, a member with an error's name?
local function has_error(object, is_inner)
  for name, value in pairs(object) do
    local lower = type(name) == "string" and name:lower() or ""
    local is_named = lower:find("error", 1, true) or lower == "fault" or lower == "exception" or lower == "__type"
    if is_named and is_wrong(value) or not is_inner and type(value) == "table" and has_error(value, true) then
      return true
    end
  end
  return false
end

--- Does a document without a list of users say that something is wrong? Anything that is no object does.
---@param document any decoded
---@param text string the same, as received
---@return boolean
function problem.says_error_instead(document, text)
  if type(document) ~= "table" or not text:find "^%s*{" or problem.says_error(document) or has_error(document) then
    return true
  elseif document.code ~= nil then
    return is_wrong(document.code)
  end
  return type(document.message) == "string" and is_wrong(document.message)
end

--- The first line of a body that has no known message.
---@param body string
---@return string?
function problem.first_line(body)
  return body:match "^%s*(%S[^%z\1-\31\127]*)"
end

--- The title of an HTML page.
---@param body string
---@return string?
function problem.title(body)
  return body:match "<[Tt][Ii][Tt][Ll][Ee]>%s*([^<%s%z\1-\31\127][^<%z\1-\31\127]*)"
end

--- Some servers (GitHub) answer 403, or 200 with an error document, for 429, with Retry-After.
local function is_limited(transfer, status)
  return status == 429 or status < 300 and header.retry_after(transfer) ~= nil
    or status == 403 and (header.retry_after(transfer) ~= nil or rate_limits.remaining(transfer) == 0)
end

--- Does an answer refuse the credentials of its request?
---@param err rollcall.Error
---@param auth rollcall.ProviderAuth? as the provider declares it
---@return boolean
function problem.refuses_credentials(err, auth)
  return err.status == 401 or declared_answer.matches(auth and auth.expired, err.status, err.body)
end

--- The kind of error of an answer whose status is not 2xx, or whose document says that it failed.
---@param transfer rollcall.Transfer
---@param body string? the answer's
---@param limited rollcall.DeclaredAnswer? how the provider refuses too many requests, besides 429
---@return rollcall.ErrorKind
function problem.kind(transfer, body, limited)
  local status = transfer:status()
  if declared_answer.matches(limited, status, body) or is_limited(transfer, status) then
    return "rate_limit"
  end
  return (status == 401 or status == 403) and "auth" or "http"
end

return problem
