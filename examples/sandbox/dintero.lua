-- Dintero's API: the users of one account in one array, a partner's merchants and an account's roles in pages, and the
-- token endpoint.

local cjson = require "cjson.safe"
local clients = require "sandbox.clients"
local directory = require "sandbox.data.dintero"
local journal = require "sandbox.journal"
local rates = require "sandbox.rates"
local reply = require "sandbox.reply"
local settings = require "sandbox.settings"
local tokens = require "sandbox.tokens"

local dintero = { name = "dintero" }

-- The same for every host.
local AUDIENCE = "https://api.dintero.com/v1/accounts/"

-- `errors` is a list of objects, or nil for an empty one, which lua-cjson would write as {}.
local function failure(status, code, message, errors)
  reply.json(status, string.format('{"error":{"code":%s,"message":%s,"errors":%s}}', cjson.encode(code),
    cjson.encode(message), errors and cjson.encode(errors) or "[]"))
end

function dintero.no_route(status)
  if status == 404 then return failure(404, "not_found", "There is nothing here.") end
  return failure(405, "method_not_allowed", ngx.req.get_method() .. " is not possible here.")
end

-- Whether it is P or T and then three or eight digits; if not, responds to the request.
local function check_account(oid)
  local digits = oid:match "^[PT](%d+)$"
  if digits and (#digits == 3 or #digits == 8) then return true end
  failure(400, "invalid_account_id", "The account id is malformed.", { { path = "oid", value = oid } })
  return false
end

-- Whether the client is within the rate limit, if one is set; if not, responds to the request.
local function limit_rate(client)
  local limit = settings.get "dintero_rate_limit"
  if limit == 0 or rates.take("dintero:" .. client, limit) then return true end
  journal.count("dintero", "rate_limited")
  ngx.header["Retry-After"] = 1
  failure(429, "too_many_requests", "Too many requests.")
  return false
end

-- Whether the request may read account `oid`; if not, responds to it.
local function authorize(oid)
  local claims, reason = tokens.of_request "dintero"
  if not claims or claims.expired then
    ngx.header["WWW-Authenticate"] = "Bearer"
    failure(401, "unauthorized", reason == "missing" and "The Authorization header is missing."
      or claims and "The token has expired." or "The token is not known.")
    return false
  end
  if not limit_rate(claims.client) then return false end
  if not directory.account(oid) then
    failure(404, "account_not_found", "There is no account " .. oid .. ".")
    return false
  elseif claims.account ~= oid then
    failure(403, "forbidden", "The token is for another account.")
    return false
  end
  return true
end

-- The listing's query, { expand_roles, search }; nil if the request has been responded to.
local function listing_query()
  local args, query = ngx.req.get_uri_args(), {}
  local expand, search = args.expand, args.search
  if type(expand) ~= "table" then expand = { expand } end
  for _, list in ipairs(expand) do
    for value in ((list == true and "" or list) .. ","):gmatch "([^,]*)," do
      if value ~= "roles" then
        failure(400, "invalid_request", "expand takes roles.", { { path = "expand", value = value } })
        return nil
      end
      query.expand_roles = true
    end
  end
  if type(search) == "table" then search = search[1] end
  if type(search) == "string" and search ~= "" then query.search = search end
  return query
end

local function stream_users(oid, query)
  local pieces = 0
  ngx.header["Content-Type"] = "application/json"
  ngx.print "["
  -- Waiting until each piece is sent bounds the memory, and ends the loop when the client is gone. A fast client never
  -- makes it wait, so every few megabytes it sleeps to let other requests run.
  directory.stream(oid, query, function(text)
    pieces = pieces + 1
    if text == "" or pieces % 128 == 0 then ngx.sleep(0.001) end
    ngx.print(text)
    return ngx.flush(true)
  end)
  ngx.print "]"
end

local function list_users(oid)
  if not check_account(oid) or not authorize(oid) then return end
  local query = listing_query()
  if not query then return end
  if directory.account(oid).big and not ngx.ctx.spoil then return stream_users(oid, query) end
  local _, texts = directory.users(oid, query)
  if query.expand_roles then return reply.json(200, "[" .. table.concat(texts, ",") .. "]") end
  reply.json(200, "[\n" .. table.concat(texts, ",\n") .. "\n]\n", "application/json; charset=utf-8")
end

local DEFAULT_LIMIT, MAX_LIMIT = 10, 100

-- Responds with the page that `limit` and `starting_after` ask for; tokens_of(object) returns the values that identify
-- an object.
local function answer_page(list, tokens_of)
  local args = ngx.req.get_uri_args()
  local limit = args.limit == nil and DEFAULT_LIMIT or type(args.limit) == "string" and args.limit:match "^%d+$"
  limit = tonumber(limit or 0)
  if limit < 1 or limit > MAX_LIMIT then
    return failure(400, "invalid_request", "limit is from 1 to 100.", { { path = "limit" } })
  end
  local first = 1
  if args.starting_after ~= nil then
    first = nil
    for at, object in ipairs(list) do
      for _, token in ipairs(tokens_of(object)) do
        if token == args.starting_after then first = at + 1 end
      end
    end
    if not first then
      return failure(400, "invalid_request", "There is no such object.", { { path = "starting_after" } })
    end
  end
  local texts = {}
  for at = first, math.min(#list, first + limit - 1) do texts[#texts + 1] = directory.write(list[at]) end
  reply.json(200, "[" .. table.concat(texts, ",") .. "]")
end

local function list_accounts(oid)
  if not check_account(oid) or not authorize(oid) then return end
  local country, list = ngx.req.get_uri_args().country, {}
  for _, account in ipairs(directory.merchants_of(oid)) do
    if not country or account.company.address.country == country then list[#list + 1] = account end
  end
  answer_page(list, function(account) return { account.paging_token, account.account_id } end)
end

local function list_roles(oid)
  if not check_account(oid) or not authorize(oid) then return end
  local args, list = ngx.req.get_uri_args(), {}
  for _, role in ipairs(directory.roles(oid)) do
    if (not role.deleted_at or args.include_deleted == "true") and (not args.name or role.name == args.name) then
      list[#list + 1] = role
    end
  end
  answer_page(list, function(role) return { role.id } end)
end

-- The client of an HTTP Basic header, or nil.
local function basic_client()
  local encoded = (ngx.var.http_authorization or ""):match "^[Bb][Aa][Ss][Ii][Cc] +(%S+)$"
  local id, secret = (encoded and ngx.decode_base64(encoded) or ""):match "^([^:]*):(.*)$"
  return clients.known(id, secret) and id or nil
end

-- A token for any well-formed account id, even of an account that does not exist: its users then respond with 404.
local function issue_token(oid)
  ngx.req.read_body()
  if not check_account(oid) then return end
  local client = basic_client()
  if not client then
    ngx.header["WWW-Authenticate"] = "Basic"
    return failure(401, "unauthorized", "client_id and client_secret are not those of a client.")
  end
  if not limit_rate(client) then return end
  local is_json = (ngx.var.http_content_type or ""):lower():find("application/json", 1, true) == 1
  local body = is_json and cjson.decode(ngx.req.get_body_data() or "")
  if type(body) ~= "table" then
    return failure(400, "invalid_request", "The body must be application/json.")
  elseif body.grant_type ~= "client_credentials" then
    return failure(400, "invalid_request", "grant_type must be client_credentials.", { { path = "grant_type" } })
  elseif body.audience ~= AUDIENCE .. oid then
    return failure(400, "invalid_request", "audience must be " .. AUDIENCE .. oid, { { path = "audience" } })
  end
  local token, lifetime = tokens.issue("dintero", client, oid)
  reply.json(200, { access_token = token, token_type = "Bearer", expires_in = lifetime })
end

dintero.routes = {
  { method = "GET", path = "^/v1/accounts/([^/]+)/management/users$", kind = "users", handler = list_users },
  { method = "GET", path = "^/v1/accounts/([^/]+)/management/accounts$", kind = "list", handler = list_accounts },
  { method = "GET", path = "^/v1/accounts/([^/]+)/auth/roles$", kind = "list", handler = list_roles },
  { method = "POST", path = "^/v1/accounts/([^/]+)/auth/token$", kind = "token", handler = issue_token },
}

return dintero
