-- Tesouro's API: the users of an organization and all below it, the organizations, and the token endpoint.

local cjson = require "cjson"
local clients = require "sandbox.clients"
local directory = require "sandbox.data.tesouro"
local journal = require "sandbox.journal"
local pages = require "sandbox.pages"
local rates = require "sandbox.rates"
local reply = require "sandbox.reply"
local settings = require "sandbox.settings"
local template = require "sandbox.data.template"
local tokens = require "sandbox.tokens"

local tesouro = { name = "tesouro" }

local DEFAULT_LIMIT, MAX_LIMIT = 20, 100
local STATUSES = { ACTIVE = true, INACTIVE = true, INVITED = true, ALL = true }
local TYPES = { BANK = true, EMBEDDED = true, PLATFORM = true, TRANSACTOR = true, VERTICAL_SOFTWARE_PROVIDER = true }

local UUID = "^" .. ("%x"):rep(8) .. ("%-" .. ("%x"):rep(4)):rep(3) .. "%-" .. ("%x"):rep(12) .. "$"

local TITLES = { [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not Found",
  [405] = "Method Not Allowed" }

local function problem(status, code, detail)
  reply.json(status, {
    type = "https://httpstatuses.io/" .. status,
    title = TITLES[status],
    status = status,
    detail = detail,
    instance = ngx.var.uri,
    errorCode = code,
  }, "application/problem+json")
end

-- Puts a client's rate limit into the headers of every response; with `take`, counts this request. Returns whether it
-- may go on.
local function limit_rate(client, take)
  local limit = settings.get "rate_limit"
  if limit == 0 then return true end
  local allowed, remaining = true, rates.remaining(client, limit)
  if take then allowed, remaining = rates.take(client, limit) end
  local header = ngx.header
  header["RateLimit-Limit"], header["X-RateLimit-Limit-Second"] = limit, limit
  header["RateLimit-Remaining"], header["X-RateLimit-Remaining-Second"] = remaining, remaining
  header["RateLimit-Reset"] = 1
  if not allowed then
    journal.count("tesouro", "rate_limited")
    header["Retry-After"] = 1
    reply.json(429, '{"message":"API rate limit exceeded"}')
  end
  return allowed
end

function tesouro.no_route(status)
  limit_rate("tesouro:" .. ngx.var.remote_addr, false)
  if status == 404 then return problem(404, "NOT_FOUND", "There is nothing here.") end
  return problem(405, "METHOD_NOT_ALLOWED", ngx.req.get_method() .. " is not possible here.")
end

-- The claims of a request that may go on; nil if it has been responded to.
local function authorize()
  local claims, reason = tokens.of_request "tesouro"
  if not claims then
    limit_rate("tesouro:" .. ngx.var.remote_addr, false)
    ngx.header["WWW-Authenticate"] = "Bearer"
    if reason == "missing" then
      reply.json(401, '{"message":"Unauthorized"}')
    else
      problem(401, "INVALID_TOKEN", "The token is not known.")
    end
    return nil
  end
  if not limit_rate("tesouro:" .. claims.client, true) then return nil end
  if claims.expired then
    reply.json(400, '{"error":{"message":"The token has been expired."}}')
    return nil
  end
  return claims
end

-- The organization that the request is for; nil if it has been responded to.
local function target_organization()
  local id = ngx.req.get_headers()["x-organization-id"]
  if id == nil then return directory.root end
  if type(id) ~= "string" or not id:match(UUID) then
    problem(400, "INVALID_ORGANIZATION_ID", "X-Organization-ID must be a UUID.")
    return nil
  end
  local organization = directory.organization(id:lower())
  if not organization then
    problem(404, "ORGANIZATION_NOT_FOUND", "There is no organization " .. id .. ".")
    return nil
  elseif not organization.visible then
    problem(403, "ORGANIZATION_NOT_VISIBLE", "The caller may not see organization " .. id .. ".")
    return nil
  end
  return organization.id
end

-- The query's parameters by lower-case name; the first of several with one name. Those without a meaning here are
-- ignored, as in the real API.
local function query_parameters()
  local parameters = {}
  for name, value in pairs(ngx.req.get_uri_args()) do
    if type(value) == "table" then value = value[1] end
    parameters[name:lower()] = value == true and "" or value
  end
  return parameters
end

-- The listing that the request asks for: filter, limit, page token; nil if the request has been responded to.
local function listing_query(organization_id)
  local parameters = query_parameters()
  local status, kind = parameters.status or "ACTIVE", parameters.organizationtype
  local limit = parameters.limit or tostring(DEFAULT_LIMIT)
  if not STATUSES[status] then
    return problem(400, "INVALID_STATUS", "Status must be one of ACTIVE, INACTIVE, INVITED, ALL.")
  elseif kind and not TYPES[kind] then
    return problem(400, "INVALID_ORGANIZATION_TYPE", "OrganizationType must be one of BANK, EMBEDDED, PLATFORM, "
      .. "TRANSACTOR, VERTICAL_SOFTWARE_PROVIDER.")
  elseif not limit:match "^%d+$" or tonumber(limit) < 1 or tonumber(limit) > MAX_LIMIT then
    return problem(400, "INVALID_LIMIT", "Limit must be an integer from 1 to 100.")
  end
  return {
    filter = { organization_id = organization_id, organization_type = kind, status = status },
    limit = tonumber(limit),
    token = parameters.paginationtoken,
  }
end

-- Cached, since filtering the fixed users takes longer than all the rest of a page.
local listings = template.cache(function(key)
  local organization_id, kind, status = key:match "^(.-)|(.-)|(.-)$"
  return directory.listing { organization_id = organization_id, organization_type = kind ~= "" and kind or nil,
    status = status }
end)

local function listing_of(filter)
  local key = table.concat({ filter.organization_id, filter.organization_type or "", filter.status }, "|")
  return listings(key), key
end

-- Three spellings of a page, by its number: compact; tokens first, and escaped; with whitespace. "data", "next" and
-- "previous" are replaced by the values.
local SPELLINGS = {
  [0] = { '{"data":[', "data", '],"nextPaginationToken":', "next", ',"prevPaginationToken":', "previous", "}",
    comma = ",", slash = "/" },
  { '{"nextPaginationToken":', "next", ',"prevPaginationToken":', "previous", ',"data":[', "data", "]}",
    comma = ",", slash = "\\/" },
  { '{\n  "prevPaginationToken" : ', "previous", ',\n  "data" : [\n', "data", '\n],\n  "nextPaginationToken" : ',
    "next", "\n}\n", comma = ",\n", slash = "/" },
}

local function answer_page(query)
  local listing, key = listing_of(query.filter)
  local shape = settings.get "short_pages" == 0 and "even" or query.filter.organization_type and "empty_first"
    or "uneven"
  local binding = table.concat({ key, query.limit, shape }, "|")
  local page = query.token and pages.of_token(query.token, binding) or not query.token and 0
  if not page then
    return problem(400, "INVALID_PAGINATION_TOKEN", "PaginationToken is malformed, or of another listing.")
  end

  local first, last, follows = pages.cut(shape, listing.count, query.limit, page)
  local spelling = SPELLINGS[page % 3]
  local function token(exists, direction, number)
    if not exists then return "null" end
    return '"' .. pages.token(direction, number, binding):gsub("/", spelling.slash) .. '"'
  end
  local values = {
    data = listing.join(first, last, spelling.comma),
    next = token(follows, "next", page + 1),
    previous = token(page > 0, "previous", page - 1),
  }
  local parts = {}
  for at, part in ipairs(spelling) do parts[at] = values[part] or part end
  reply.json(200, table.concat(parts))
end

local function list_users()
  if not authorize() then return end
  local organization_id = target_organization()
  local query = organization_id and listing_query(organization_id)
  if query then answer_page(query) end
end

local function list_organizations()
  if not authorize() then return end
  local parameters = query_parameters()
  local limit = parameters.limit or tostring(DEFAULT_LIMIT)
  local filter = { status = parameters.status, type = parameters.type, parent = parameters.parentorganizationid,
    id = parameters.organizationid }
  if filter.status and (not STATUSES[filter.status] or filter.status == "INVITED") then
    return problem(400, "INVALID_STATUS", "Status must be one of ACTIVE, ALL, INACTIVE.")
  elseif filter.type and not TYPES[filter.type] then
    return problem(400, "INVALID_TYPE", "Type is none of the types of organizations.")
  elseif not limit:match "^%d+$" or tonumber(limit) < 1 or tonumber(limit) > MAX_LIMIT then
    return problem(400, "INVALID_LIMIT", "Limit must be an integer from 1 to 100.")
  elseif filter.parent and filter.id then
    return problem(400, "INVALID_REQUEST", "OrganizationId and ParentOrganizationId exclude each other.")
  end
  for _, id in ipairs { filter.parent or filter.id } do
    if not id:match(UUID) then return problem(400, "INVALID_ORGANIZATION_ID", "The organization must be a UUID.") end
  end
  local list = directory.related(filter)
  limit = tonumber(limit)
  local binding = table.concat({ "organizations", filter.status or "", filter.type or "", filter.parent or "",
    filter.id or "", limit }, "|")
  local token = parameters.paginationtoken
  local page = token and pages.of_token(token, binding) or not token and 0
  if not page then
    return problem(400, "INVALID_PAGINATION_TOKEN", "PaginationToken is malformed, or of another listing.")
  end
  local texts = {}
  for at = page * limit + 1, math.min(#list, (page + 1) * limit) do texts[#texts + 1] = cjson.encode(list[at]) end
  local function token_text(exists, direction, number)
    return exists and cjson.encode(pages.token(direction, number, binding)) or "null"
  end
  reply.json(200, string.format(
    '{"data":[%s],"nextPaginationToken":%s,"parentOrganizations":null,"prevPaginationToken":%s}',
    table.concat(texts, ","), token_text((page + 1) * limit < #list, "next", page + 1),
    token_text(page > 0, "previous", page - 1)))
end

local function issue_token()
  ngx.req.read_body()
  local content_type = (ngx.var.http_content_type or ""):lower()
  local form = content_type:find("application/x-www-form-urlencoded", 1, true) == 1 and ngx.req.get_post_args()
  local id = form and form.client_id
  local client = "tesouro:" .. (clients.known(id, form and form.client_secret) and id or ngx.var.remote_addr)
  limit_rate(client, false)
  if not form then
    problem(400, "INVALID_REQUEST", "The body must be application/x-www-form-urlencoded.")
  elseif form.grant_type ~= "client_credentials" then
    problem(400, "UNSUPPORTED_GRANT_TYPE", "grant_type must be client_credentials.")
  elseif not clients.known(id, form.client_secret) then
    problem(401, "INVALID_CLIENT", "client_id and client_secret are not those of a client.")
  else
    local token, lifetime = tokens.issue("tesouro", id)
    reply.json(200, { access_token = token, token_type = "Bearer", expires_in = lifetime })
  end
end

tesouro.routes = {
  { method = "GET", path = "^/identity/v1/users$", kind = "users", handler = list_users },
  { method = "GET", path = "^/identity/v1/organizations$", kind = "list", handler = list_organizations },
  { method = "POST", path = "^/openid/connect/token$", kind = "token", handler = issue_token },
}

return tesouro
