-- Bearer tokens: given, asked of a function, or got by client credentials (RFC 6749, 4.4), kept
-- and renewed in time. One object for each account of a client; its requests share it.

local base64 = require "rollcall.base64"
local errors = require "rollcall.errors"
local exchange = require "rollcall.exchange"
local json = require "rollcall.json"
local url = require "rollcall.url"

local auth = {}

-- A token is renewed before its last five minutes, or the last tenth of a shorter life.
local MARGIN, MARGIN_SHARE = 300, 0.1
-- Where the server does not say how long a token lives.
local UNKNOWN_LIFE = 3600

--- A secret of the client's options: a string, or what its function answers.
local function secret(client, name)
  local value = client.config[name]
  if type(value) == "function" then
    value = value()
  end
  if type(value) ~= "string" or value == "" or value:find("%c") then
    return nil, errors.new("auth",
      ("%s: expected a string without control characters, got %s"):format(
        name, type(value) == "string" and "one with them, or an empty one" or "a " .. type(value)),
      { provider = client.provider.name })
  end
  client.redactor:add(value, name)
  return value
end

-- -- a token that the script brings -----------------------------------------------------------

local Given = {}
Given.__index = Given

function Given:authorize()
  local token, err = secret(self.client, "token")
  if not token then
    return "failed", err
  end
  return "ready", "Bearer " .. token
end

--- The token was refused. May another one help?
function Given:refused()
  return type(self.client.config.token) == "function"
end

-- -- client credentials -------------------------------------------------------------------------

local Credentials = {}
Credentials.__index = Credentials

local function form_encode(text)
  return (url.encode(text):gsub("%%20", "+"))
end

local function encode_form(pairs_list)
  local parts = {}
  for i, pair in ipairs(pairs_list) do
    parts[i] = form_encode(pair[1]) .. "=" .. form_encode(pair[2])
  end
  return table.concat(parts, "&")
end

--- The token request, from what the provider declares.
function Credentials:request()
  local client, declared = self.client, self.client.provider.auth
  local id, id_err = secret(client, "client_id")
  local key, key_err = secret(client, "client_secret")
  if not id or not key then
    return nil, id_err or key_err
  end
  local parameters = { { "grant_type", "client_credentials" } }
  local headers = {}
  if declared.credentials == "basic" then
    local credentials = base64.encode(id .. ":" .. key)
    client.redactor:add(credentials, "basic")
    headers[#headers + 1] = "Authorization: Basic " .. credentials
  else
    parameters[#parameters + 1] = { "client_id", id }
    parameters[#parameters + 1] = { "client_secret", key }
  end
  for _, name in ipairs { "audience", "scope" } do
    if declared[name] then
      parameters[#parameters + 1] = { name, url.expand(declared[name], self.variables) }
    end
  end
  local body
  if declared.body == "json" then
    headers[#headers + 1] = "Content-Type: application/json"
    local object = {}
    for _, pair in ipairs(parameters) do
      object[pair[1]] = pair[2]
    end
    body = json.encode(object)
  else
    headers[#headers + 1] = "Content-Type: application/x-www-form-urlencoded"
    body = encode_form(parameters)
  end
  return exchange.new(client, {
    method = "POST",
    url = client.base_url .. url.expand(declared.path, self.variables, url.encode),
    headers = headers,
    body = body,
  })
end

--- Reads the answer of the token endpoint; nil and an error where it is none.
function Credentials:accept(asked, now)
  local body = asked.transfer:body()
  local document = json.decode(body)
  local token = type(document) == "table" and document.access_token
  if type(token) ~= "string" or token == "" or token:find("[%c%s]") then
    return nil, asked:error("auth", "the token endpoint's answer has no usable access_token")
  end
  local life = tonumber(document.expires_in) or UNKNOWN_LIFE
  self.client.redactor:add(token, self)
  self.token = token
  self.renew_at = now + life - math.min(MARGIN, life * MARGIN_SHARE)
  return true
end

--- One request however many wait: all of them step the same ticket.
function Credentials:step(ticket, now)
  local status, wait = ticket.asked:step(now)
  if status == "wait" then
    return status, wait
  end
  if self.pending == ticket then
    self.pending = nil
    local good
    if status == "done" then
      good, ticket.err = self:accept(ticket.asked, now)
    else
      ticket.err = ticket.asked.err
      if ticket.err.status then
        ticket.err.kind = "auth"
        ticket.err.message = "no token: " .. ticket.err.message
      end
    end
    ticket.good = good
  end
  return "over"
end

--- The Authorization value for a request of `asker`: "ready" and it, "wait" and for how long at
--- most, or "failed" and why.
function Credentials:authorize(asker, now)
  local ticket = asker.ticket
  if not ticket and self.token and now < self.renew_at then
    return "ready", "Bearer " .. self.token
  end
  if not ticket then
    if not self.pending then
      local asked, err = self:request()
      if not asked then
        return "failed", err
      end
      self.pending = { asked = asked }
    end
    ticket = self.pending
    asker.ticket = ticket
  end
  local status, wait = self:step(ticket, now)
  if status == "wait" then
    return status, wait
  end
  asker.ticket = nil
  if ticket.err then
    -- One each: every walk adds its own checkpoint to it.
    return "failed", errors.new(ticket.err.kind, ticket.err.message, ticket.err)
  elseif not self.token then
    return self:authorize(asker, now) -- it was refused to another one, since
  end
  return "ready", "Bearer " .. self.token
end

function Credentials:refused(authorization)
  if self.token and authorization == "Bearer " .. self.token then
    self.token = nil
  end
  return true
end

--- Does this answer say that the token is the trouble?
local function is_refusal(self, err)
  local expired = self.client.provider.auth and self.client.provider.auth.expired
  return err.status == 401
    or (expired ~= nil and err.status == expired.status
      and (err.body or ""):lower():find(expired.message:lower(), 1, true) ~= nil)
end

Given.is_refusal = is_refusal
Credentials.is_refusal = is_refusal

--- Who answers for the tokens of one account.
---@param client rollcall.Shared
---@param variables table<string, string> what {name}s in the provider's paths stand for
function auth.new(client, variables)
  local kind = client.config.token ~= nil and Given or Credentials
  return setmetatable({ client = client, variables = variables }, kind)
end

return auth
