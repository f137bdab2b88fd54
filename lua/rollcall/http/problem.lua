-- What an answer says of what is wrong: its status, its headers, a document of a few usual shapes.

local core = require "rollcall.core"
local header = require "rollcall.http.header"
local json = require "rollcall.json"
local limits = require "rollcall.http.limits"

local problem = {}

-- By what a server knows the request again: what is usual, then what GitHub, Okta and Amazon call it.
local REQUEST_IDS = { "x-request-id", "request-id", "x-correlation-id", "x-github-request-id", "x-okta-request-id",
  "x-amzn-requestid" }

--- What the server calls the request, for those who ask its support.
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

--- Is the answer a page for people, such as a proxy's?
---@param transfer rollcall.Transfer
---@return boolean
function problem.is_html(transfer)
  return (transfer:header("content-type") or ""):lower():find("html", 1, true) ~= nil
end

local function first_text(...)
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if type(value) == "string" then
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

--- What an error document says of itself: { error = { code, message } }, { message }, problem
--- details (RFC 9457), { error = "…", error_description = "…" } (RFC 6749), { errorCode, errorSummary }; of a list of
--- errors, or one in `errors` (JSON:API, GraphQL), the first one.
---@param document any decoded
---@return string? message
---@return string? code
function problem.read(document)
  if type(document) ~= "table" then
    return first_text(document), nil
  end
  document = first_table(document[1], document)
  local first = type(document.errors) == "table" and document.errors[1]
  local inner = first_table(document.error, first, document)
  local message = first_text(inner.message, inner.detail, document.message, document.detail, document.errorSummary,
    document.error_description, document.title, inner.title, first, document.error)
  local code = inner.code or document.errorCode or (type(document.error) == "string" and document.error)
  return message, type(code) == "number" and json.number(code) or type(code) == "string" and code or nil
end

-- What is said where nothing is wrong.
local FINE = { ["0"] = true, ["200"] = true, ok = true, success = true, ["false"] = true, [""] = true }

--- Does a field of a document say that something is wrong?
local function is_wrong(value)
  if value == nil or value == core.null then
    return false
  elseif type(value) == "table" then
    return next(value) ~= nil
  end
  return not FINE[(type(value) == "number" and json.number(value) or tostring(value)):lower()]
end

--- Does a document that has no users say that something is wrong? Whatever is no object does.
---@param document any decoded
---@param text string the same as it came
---@return boolean
function problem.is_in(document, text)
  if type(document) ~= "table" or not text:find "^%s*{" or document.ok == false or document.success == false
    or is_wrong(document.error) or is_wrong(document.errors) or is_wrong(document.errorCode) then
    return true
  elseif document.code ~= nil then
    return is_wrong(document.code)
  end
  return type(document.message) == "string" and is_wrong(document.message)
end

--- The first line of a body that is no document whose message is known.
---@param body string
---@return string?
function problem.first_line(body)
  return body:match "^%s*(%S[^%z\1-\31\127]*)"
end

--- Is an answer the one that a provider declares by its status and a text in its body?
---@param declared { status: integer, message: string }?
---@param status integer?
---@param body string?
---@return boolean
function problem.is_declared(declared, status, body)
  return declared ~= nil and status == declared.status
    and (body or ""):lower():find(declared.message:lower(), 1, true) ~= nil
end

--- Some answer 403 where they mean 429: GitHub does, and says when to come again.
local function is_limited(transfer, status)
  return status == 429
    or status == 403 and (header.retry_after(transfer) ~= nil or limits.remaining(transfer) == 0)
end

--- The kind of error that an answer is whose status is no success.
---@param transfer rollcall.Transfer
---@param body string? its own
---@param limited { status: integer, message: string }? how the provider refuses too many requests, beside 429
---@return rollcall.ErrorKind
function problem.kind(transfer, body, limited)
  local status = transfer:status()
  if problem.is_declared(limited, status, body) or is_limited(transfer, status) then
    return "rate_limit"
  end
  return (status == 401 or status == 403) and "auth" or "http"
end

return problem
