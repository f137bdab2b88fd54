-- How the command ends if it cannot go on: values that are raised, and caught in main.

---@class rollcall.cli.Failure
---@field status integer of the process
---@field message string? one or more lines for stderr; nil ends quietly
local Failure = {}
Failure.__index = Failure

local failure = {
  FOUND = 0,
  NONE = 1, -- no users found, differences, or findings to fail on
  USAGE = 2, -- the options, the configuration or a file are wrong; nothing was requested
  FAILED = 3, -- it was tried, and failed
}

function failure.is(value)
  return type(value) == "table" and getmetatable(value) == Failure
end

--- Ends the command.
---@param status integer
---@param message string?
function failure.raise(status, message)
  error(setmetatable({ status = status, message = message }, Failure), 0)
end

--- Ends the command for wrong usage, with what to do about it.
---@param message string with %s
function failure.usage(message, ...)
  failure.raise(failure.USAGE, select("#", ...) > 0 and message:format(...) or message)
end

--- A converter for argparse whose error messages name the option.
---@param option string
---@param convert fun(text: string): any, string? returns the value; or nil and what is wrong with the text
---@return fun(text: string): any, string?
function failure.of_option(option, convert)
  return function(text)
    local value, problem = convert(text)
    if value == nil then
      return nil, option .. ": " .. problem
    end
    return value
  end
end

--- A Lua error message without its position: for messages about the user's mistakes.
---@param message any
---@return string
function failure.plain(message)
  return (tostring(message):gsub("^[^\n]-%.lua:%d+: ", ""):gsub("^%[string [^\n]-%]:%d+: ", ""))
end

local advice = {
  network = "Check the network, the proxy variables (https_proxy) and the source's base_url",
  timeout = "The server said nothing in time: try again later, or give the source a longer idle_timeout",
  tls = "Check the computer's clock and its authorities; an authority of your own is ca_file in the configuration",
  auth = "Check the client id and secret of this source, or its token: have they expired, may they read users",
  rate_limit = "Try again later, or with fewer other programs that use the same client",
  http = "Check the source's base_url, account and filters",
  decode = "The server's answer is not what it declares: look at base_url, or tell the provider's support",
  loop = "The server ignores the page token: the configuration's query_names can send it by another name",
}

--- Does an answer other than 401 or 403 mention credentials?
local function is_of_credentials(err)
  local said = err.kind == "decode" and err.message:match "; the server says: (.*)$"
    or err.kind == "http" and err.status == 400 and err.body or ""
  said = said:lower()
  for _, words in ipairs { "access.?token", "token.-expired", "expired.-token", "invalid.?token", "invalid.?client",
    "invalid.?auth", "not.?authed", "unauthori[sz]ed", "authenticat", "credential" } do
    if said:find(words) then
      return true
    end
  end
  return false
end

--- What to do about one of the library's errors, as a sentence; nil if nothing is known.
---@param err rollcall.Error
---@param name string? of the source
---@return string?
function failure.advice(err, name)
  local text = advice[err.kind]
  local status = err.kind == "auth" and err.status or 0
  if status >= 500 or status == 404 or status == 405 or status >= 300 and status < 400 then
    text = advice.http -- the token endpoint is none, or is in trouble
  elseif err.kind == "auth" and err.status == 403 then
    text = "These credentials may not read the users of this account: ask its administrator for the right to"
  elseif err.kind == "decode" and err.body then
    text = "The server answered without users, and may say why: look at the account, the filters and base_url"
  end
  if err.status == 407 then
    text = "The proxy wants credentials: they stand in the source's proxy option, or in https_proxy"
  elseif err.kind == "http" and err.request_id then
    text = text .. "; the provider's support knows the request id"
  end
  if is_of_credentials(err) then
    text = text .. ". It speaks of credentials: check the client id and secret of this source, or its token"
  end
  return text and ("%s. `rollcall check%s` tries each step."):format(text, name and " " .. name or "")
end

return failure
