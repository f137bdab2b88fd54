-- Bearer tokens obtained by client credentials (RFC 6749, 4.4), kept and renewed in time. One object for each account
-- of a client, shared by its requests.

local base64 = require "rollcall.base64"
local core = require "rollcall.core"
local errors = require "rollcall.errors"
local exchange = require "rollcall.http.exchange"
local header = require "rollcall.auth.header"
local json = require "rollcall.json"
local pointers = require "rollcall.pointer"
local problem = require "rollcall.http.problem"
local schema = require "rollcall.schema"
local secret = require "rollcall.auth.secret"
local tables = require "rollcall.tables"
local url = require "rollcall.http.url"

local client_credentials = {}

-- A token is one that the script has obtained elsewhere.
client_credentials.takes = { { "token" }, { "client_id", "client_secret" } }

local parameter = { type = "string", expected = "the name of a parameter", test = function(value)
  return value ~= "" and not value:find("%c")
end }
local pointer = { type = "string", expected = "a JSON Pointer such as /access_token", test = function(value)
  return value ~= "" and not value:find("%c") and schema.pointer.test(value)
end }

--- The fields of its declaration.
---@param nodes { path: rollcall.Schema, template: rollcall.Schema, url: rollcall.Schema } with a client's {option}s
function client_credentials.schema(nodes)
  return {
    path = nodes.path,
    url = nodes.url,
    body = { type = "string", enum = { "form", "json" } },
    credentials = { type = "string", enum = { "body", "basic" } },
    audience = nodes.template,
    scope = nodes.template,
    parameters = { type = "table", keys = { type = "string" }, values = nodes.template },
    names = { type = "table", fields = { client_id = parameter, client_secret = parameter } },
    token = pointer,
    expires_in = pointer,
    name = header.name,
    prefix = header.prefix,
  }
end

--- Reports a name of the id or the secret that is another parameter's, too.
local function check_names(auth, report)
  local names = tables.table_or_empty(auth.names)
  local taken = { grant_type = true, audience = true, scope = true }
  if auth.names ~= nil and auth.credentials == "basic" then
    report("names", "Basic credentials have no names")
  end
  for _, key in ipairs { "client_id", "client_secret" } do
    local name = names[key] or key
    if taken[name] then
      report("names." .. key, ("%s is the name of another parameter"):format(schema.show(name)))
    end
    taken[name] = true
  end
end

function client_credentials.check(auth, report)
  check_names(auth, report)
  if auth.path == nil and auth.url == nil then
    report("path", "missing; expected a path that begins with /, of the token endpoint")
  elseif auth.path ~= nil and auth.url ~= nil then
    report("url", "path says where the token endpoint is, too; declare one of them")
  end
end

-- A token is renewed five minutes before its end, or a tenth of a shorter life before it.
local MARGIN, MARGIN_SHARE = 300, 0.1
-- Seconds that a token is taken to live if the server does not say.
local UNKNOWN_LIFE = 3600
-- Most bytes of a token: servers reject longer headers.
local LONGEST_TOKEN = 16384

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
  local id, id_err = secret.get(client, "client_id")
  local key, key_err = secret.get(client, "client_secret")
  if not id or not key then
    return nil, id_err or key_err
  end
  local parameters = { { "grant_type", "client_credentials" } }
  local headers = {}
  if declared.credentials == "basic" and id:find(":", 1, true) then
    return nil, errors.new("auth", "client_id: Basic credentials can have no colon in it",
      { provider = client.provider.name })
  elseif declared.credentials == "basic" then
    local credentials = base64.encode(id .. ":" .. key)
    client.redactor:add(credentials, "basic")
    headers[#headers + 1] = "Authorization: Basic " .. credentials
  else
    local names = declared.names or {}
    parameters[#parameters + 1] = { names.client_id or "client_id", id }
    parameters[#parameters + 1] = { names.client_secret or "client_secret", key }
  end
  for _, name in ipairs { "audience", "scope" } do
    if declared[name] then
      parameters[#parameters + 1] = { name, url.expand(declared[name], self.variables) }
    end
  end
  local places = {}
  for i, pair in ipairs(parameters) do
    places[pair[1]] = i
  end
  for _, name in ipairs(tables.keys(declared.parameters or {})) do -- these may replace grant_type
    parameters[places[name] or #parameters + 1] = { name, url.expand(declared.parameters[name], self.variables) }
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
    url = declared.url and url.expand(declared.url, self.variables, url.encode)
      or client.base_url .. url.expand(declared.path, self.variables, url.encode),
    headers = headers,
    body = body,
  })
end

--- Reads the answer of the token endpoint; nil and an error if it has no usable token.
function Credentials:accept(asked, now)
  local declared, body = self.client.provider.auth, (asked.transfer:body())
  local document = json.decode(body)
  local place = declared.token or "/access_token"
  local token = pointers.get(document, place)
  token = token ~= core.null and token or nil
  if type(token) ~= "string" or token == "" or token:find("[%c%s]") then
    -- Shows nothing of an answer that may be a token of another shape.
    local is_error = type(document) == "table" and token == nil and problem.refuses_token(document)
    local message, code = problem.read(is_error and document or nil)
    local is_shown = false
    if is_error then
      is_shown, message = problem.without_token(body, document, message, place)
      is_shown = is_shown and type(document.error) == "string" -- as of RFC 6749, 5.2: no answer that has a token
    end
    local said = message or code
    local what = problem.is_html(asked.transfer) and "is HTML, not JSON"
      or ("has no usable token at %s%s"):format(place, said and "; the server says: " .. said or "")
    return nil, asked:error("auth", "the token endpoint's answer " .. what,
      { code = code, body = is_shown and body or nil })
  elseif #token > LONGEST_TOKEN then
    return nil, asked:error("auth", ("the token endpoint's token has %d bytes; expected at most %d"):format(#token,
      LONGEST_TOKEN))
  end
  local life = tonumber(pointers.get(document, declared.expires_in or "/expires_in"))
  if not (life and life >= 0) then -- not stated, -1 for "never", or NaN, which LuaJIT reads
    life = UNKNOWN_LIFE
  end
  self.client.redactor:add(token, self)
  self.token = token
  self.renew_at = now + life - math.min(MARGIN, life * MARGIN_SHARE)
  return true
end

--- Steps the one token request that all waiting requests share.
function Credentials:step(ticket, now)
  local status, wait = ticket.exchange:step(now)
  if status == "wait" then
    return status, wait
  end
  if self.pending == ticket then
    self.pending = nil
    if status == "done" then
      ticket.err = select(2, self:accept(ticket.exchange, now))
    else
      ticket.err = ticket.exchange.err
      if ticket.err.status then -- it answered: auth failed, except for a rate limit or a proxy
        local is_answer = ticket.err.kind == "http" and ticket.err.code ~= "proxy" and ticket.err.status ~= 407
        ticket.err.kind = is_answer and "auth" or ticket.err.kind
        ticket.err.message = "no token: " .. ticket.err.message
      end
    end
  end
  return "ready"
end

--- Is there a token that need not be renewed yet?
function Credentials:is_current(now)
  return self.token ~= nil and now < self.renew_at
end

--- Returns "ready" and the header lines for a request of `asker`; "wait" and the seconds to wait at most; or "failed"
--- and an error.
function Credentials:authorize(asker, now)
  local ticket = asker.ticket
  if not ticket and self:is_current(now) then
    return "ready", { header.line(self.client.provider.auth, self.token) }
  end
  if not ticket then
    if not self.pending then
      local asked, err = self:request()
      if not asked then
        return "failed", err
      end
      -- A secret's function may have waited; meanwhile another request may have obtained or requested the token.
      if self:is_current(now) then
        return "ready", { header.line(self.client.provider.auth, self.token) }
      end
      self.pending = self.pending or { exchange = asked }
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
    -- A copy for each request: every walk adds its own checkpoint.
    return "failed", errors.new(ticket.err.kind, ticket.err.message, ticket.err)
  elseif not self.token then
    return self:authorize(asker, now) -- another request's refusal dropped it meanwhile
  end
  return "ready", { header.line(self.client.provider.auth, self.token) }
end

function Credentials:renew(lines)
  if self.token and lines and lines[1] == header.line(self.client.provider.auth, self.token) then
    self.token = nil
  end
  return true
end

function client_credentials.new(client, variables)
  return setmetatable({ client = client, variables = variables }, Credentials)
end

return client_credentials
