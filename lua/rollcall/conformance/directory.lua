-- An API of the shape that a provider declares, for the conformance kit: it reads requests and makes pages as the
-- declaration says, and complains about what a strict server would refuse. A plan says how it misbehaves.
--
-- It pages over a row of slots. Each holds the number of a user, or nothing: a user whom the caller must not see. A
-- page begins after a number of slots.

local base64 = require "rollcall.base64"
local core = require "rollcall.core"
local declared = require "rollcall.paging.declared"
local document = require "rollcall.conformance.document"
local header = require "rollcall.auth.header"
local json = require "rollcall.json"
local pointers = require "rollcall.pointer"
local request_maker = require "rollcall.http.request"
local server = require "rollcall.conformance.server"
local tables = require "rollcall.tables"
local url = require "rollcall.http.url"

---@class rollcall.ConformancePlan
---@field count integer slots; math.huge for no end
---@field slot (fun(number: integer): integer?)? the user in the slot of that number; by default the user of that number
---@field size integer? users a page if the request does not say; 3
---@field cap integer? most users a page, whatever the request says
---@field ending string? how it marks the last page; see endings
---@field leads (fun(from: integer, following: integer?): integer?)? where the page after the page at `from` begins
---@field ignores boolean? the position in the request is ignored
---@field instead "null"|"absent"|nil what replaces the array if a page has no users
---@field is_silent boolean? does not say how many there are
---@field is_unsure boolean? its flag always says that there is more
---@field origin string? of links to other pages, its own by default
---@field is_relative boolean? links to other pages are relative
---@field token (fun(from: integer): any)? the token of a page
---@field answer (fun(response: rollcall.ServerResponse, number: integer, request: rollcall.ServerRequest):
---  rollcall.ServerResponse)? returns what is sent instead of an answer to the collection's request of that number
---@field lifetime integer? number of requests for which an access token is valid

---@class rollcall.Directory
---@field setup table see directory.new
---@field plan rollcall.ConformancePlan
---@field provider table
---@field collection rollcall.ProviderCollection
---@field paging rollcall.ProviderPaging
---@field path string of the collection, encoded
---@field token_path string? of the token endpoint
---@field log { request: rollcall.ServerRequest, users: integer }[] requests to the collection, in order
---@field tokens table<string, { from: integer, size: integer }> page tokens: where each page begins, and its size
---@field access_token string? the valid one
---@field token_uses integer requests with it
---@field requests integer? to the collection
---@field complaints string[] what a strict server would refuse
---@field tokens_given integer access tokens issued by the token endpoint
local Directory = {}
Directory.__index = Directory

local directory = {}

-- The parameter in links to other pages: no declaration has one of that name.
local LINK_PARAMETER = "rollcall-page"

-- What ends a walk by tokens if the declaration does not say.
local DEFAULT_ENDS = { null = true, absent = true, blank = true }

--- The ways in which a server can mark the last page, as declared; the usual one first.
---@param paging rollcall.ProviderPaging
---@return string[]
function directory.endings(paging)
  local kind, list = paging.type, {}
  if kind == "cursor" or kind == "next_url" then
    for _, word in ipairs { "null", "absent", "blank" } do
      if declared.has(paging.ends, word, DEFAULT_ENDS) and not (word == "null" and type(paging.next) == "table") then
        list[#list + 1] = word
      end
    end
    for _, last in ipairs(paging.final or {}) do
      list[#list + 1] = "final " .. last
    end
  elseif kind == "link" then
    list[1] = "absent"
  elseif kind ~= "none" then
    list[1] = "as declared"
  end
  if kind == "cursor" or kind == "next_url" or kind == "link" then
    list[#list + 1] = paging.more and "more" or nil
    list[#list + 1] = declared.has(paging.ends, "empty_page") and "empty_page" or nil
  end
  return list
end

--- Does a short page end walks?
function directory.ends_short(paging)
  return declared.has(paging.ends, "short_page")
end

--- Does an empty page end walks, whatever else it says?
function directory.ends_empty(paging)
  local kind = paging.type
  if kind == "cursor" or kind == "link" or kind == "next_url" then
    return declared.has(paging.ends, "empty_page")
  end
  return not (paging.total and kind ~= "after" or paging.pages or paging.more or paging.last)
end

--- The id of a user; in paging by the last item it also names the position after that user.
---@param number integer
---@return string
function directory.id(number)
  return ("user-%d"):format(number)
end

---@param setup { provider: table, name: string, variables: table, secrets: table, query: table, base_path: string,
---  origin: fun(): string }
---@param plan rollcall.ConformancePlan
---@return rollcall.Directory
function directory.new(setup, plan)
  local self = setmetatable({
    setup = setup,
    plan = plan,
    provider = setup.provider,
    collection = setup.provider.collections[setup.name],
    log = {},
    complaints = {},
    tokens = {}, -- of pages: where each begins, and its size
    tokens_given = 0,
    token_uses = 0,
  }, Directory)
  self.paging = self.collection.paging
  local values = tables.with(setup.variables, self:path_values())
  self.path = setup.base_path .. url.expand(self.collection.path, values, url.encode)
  local auth = self.provider.auth
  if auth and auth.path then
    self.token_path = setup.base_path .. url.expand(auth.path, setup.variables, url.encode)
  elseif auth and auth.url then
    self.token_path = url.parse((url.expand(auth.url, setup.variables, url.encode))).path
  end
  return self
end

--- The values of the filters in the path.
function Directory:path_values()
  local values = {}
  for name, filter in pairs(self.collection.filters or {}) do
    local value = self.setup.query[name]
    if value == nil then
      value = filter.default
    end
    if filter.path and value ~= nil then
      values[filter.path] = tostring(value)
    end
  end
  return values
end

function Directory:complain(format, ...)
  local text = format:format(...)
  for _, one in ipairs(self.complaints) do
    if one == text then
      return
    end
  end
  self.complaints[#self.complaints + 1] = text
end

--- The value that a request has in a place, as a string; nil for none.
---@param request rollcall.ServerRequest
---@param place rollcall.Place?
---@return string?
function Directory:read(request, place)
  if not place then
    return nil
  end
  local name = type(place) == "string" and place or place.query
  if name then
    local found
    for _, pair in ipairs(request.parameters) do
      if pair[1] == name then
        if found then
          self:complain("the parameter %s came twice: %s and %s", name, found, pair[2])
        end
        found = pair[2]
      end
    end
    return found
  elseif place.header then
    return request.headers[place.header:lower()]
  end
  local value = pointers.get(json.decode(request.body) or {}, place.body)
  return type(value) == "number" and json.written(request.body, place.body, "text") or value
end

--- The key of a token: its JSON text if it may be any JSON value, which must come back unchanged.
local function token_key(paging, value)
  if paging.token == "json" or type(value) == "table" then
    return document.encode(value)
  end
  return value
end

--- The key of the token that a request has in a place; nil for none.
---@param request rollcall.ServerRequest
---@param place rollcall.Place?
---@return string?
function Directory:read_token(request, place)
  if self.paging.token == "json" and place then
    return json.written(request.body, place.body, "json")
  end
  return self:read(request, place)
end

-- -- credentials -------------------------------------------------------------------------------

local authorizations = {}

--- The name and the value of the header that carries a token.
local function header_of(auth, token)
  local name, value = header.line(auth or {}, token):match "^(.-): (.*)$"
  return name:lower(), value
end

function authorizations.bearer(self)
  return header_of(self.provider.auth, self.setup.secrets.token)
end

authorizations.header = authorizations.bearer

function authorizations.basic(self)
  local secrets = self.setup.secrets
  return "authorization", "Basic " .. base64.encode(secrets.username .. ":" .. secrets.password)
end

function authorizations.client_credentials(self)
  return header_of(self.provider.auth, tostring(self.access_token))
end

--- The response to a request without valid credentials; nil if they are valid.
function Directory:refusal(request)
  local auth = self.provider.auth
  local kind = auth and auth.type or "bearer"
  local expected = authorizations[kind == "client_credentials" and self.setup.secrets.token and "bearer" or kind]
  if not expected then
    return nil -- headers made by a function cannot be checked
  end
  local name, value = expected(self)
  if request.headers[name] ~= value then
    self:complain("expected the header %s to be as the provider's auth declares it", name)
    return { status = 401, body = '{"message":"who is this?"}' }
  end
  self.token_uses = self.token_uses + 1
  if self.plan.lifetime and self.token_uses > self.plan.lifetime then
    local expired = auth.expired or { status = 401, message = "expired" }
    expired = expired[1] or expired -- if it declares several, the first
    self.access_token = nil
    return { status = expired.status, body = json.encode { error = { message = expired.message } } }
  end
end

--- The members of a token request.
local function token_request(request)
  if (request.headers["content-type"] or ""):find("json", 1, true) then
    return json.decode(request.body) or {}
  end
  local members = {}
  for _, pair in ipairs(server.parameters(request.body)) do
    members[pair[1]] = pair[2]
  end
  return members
end

function Directory:give_token(request)
  local auth, secrets = self.provider.auth, self.setup.secrets
  local members = token_request(request)
  local is_known
  if auth.credentials == "basic" then
    is_known = request.headers.authorization
      == "Basic " .. base64.encode(secrets.client_id .. ":" .. secrets.client_secret)
  else
    local names = auth.names or {}
    is_known = members[names.client_id or "client_id"] == secrets.client_id
      and members[names.client_secret or "client_secret"] == secrets.client_secret
  end
  local more = auth.parameters or {}
  if request.method ~= "POST" or not is_known
    or members.grant_type ~= url.expand(more.grant_type or "client_credentials", self.setup.variables) then
    self:complain("the token request is not as the provider's auth declares it")
    return { status = 401, body = '{"error":"invalid_client"}' }
  end
  self.tokens_given = self.tokens_given + 1
  self.token_uses = 0
  self.access_token = ("conformance-access-%d"):format(self.tokens_given)
  local answer = {}
  document.put(answer, auth.token or "/access_token", self.access_token)
  document.put(answer, auth.expires_in or "/expires_in", 3600)
  return { body = document.encode(answer) }
end

-- -- requests -----------------------------------------------------------------------------------

--- Does the request follow a link, which has everything in it?
function Directory:is_linked(request)
  return self:read(request, LINK_PARAMETER) ~= nil
end

--- Checks what every request of a walk has besides its position.
function Directory:check(request)
  local collection, provider = self.collection, self.provider
  if request.method ~= (collection.method or "GET") then
    self:complain("expected the method %s, got %s", collection.method or "GET", request.method)
  end
  for name, value in pairs(provider.headers or {}) do
    if request.headers[name:lower()] ~= value then
      self:complain("expected the header %s: %s, got %s", name, value, tostring(request.headers[name:lower()]))
    end
  end
  if self:is_linked(request) then
    return
  end
  for name, value in pairs(collection.parameters or {}) do
    if self:read(request, name) ~= value then
      self:complain("expected the parameter %s=%s, got %s", name, value, tostring(self:read(request, name)))
    end
  end
  local size = self:read(request, self.paging.size)
  if size and not (size:find("^%d+$") and tonumber(size) >= 1
    and tonumber(size) <= (self.paging.max_size or math.huge)) then
    self:complain("expected a page size at %s, got %s", request_maker.describe(self.paging.size), size)
  end
  for name, filter in pairs(collection.filters or {}) do
    if filter.required and not filter.path and filter.list ~= "repeat" and filter.list ~= "bracket"
      and self:read(request, filter) == nil then
      self:complain("expected the filter %s", name)
    end
  end
end

--- The most users that a page has.
function Directory:size_of(request)
  local size = tonumber(self:read(request, self.paging.size)) or self.plan.size or 3
  return math.min(size, self.plan.cap or math.huge)
end

local positions = {}

function positions.none(self)
  return 0, math.max(1, self.plan.count)
end

function positions.cursor(self, request)
  local size, text = self:size_of(request), self:read_token(request, declared.own_place(self.paging))
  if text == nil then
    return 0, size
  elseif not self.tokens[text] then
    self:complain("expected a token that a page named, got %s", text:sub(1, 80))
    return 0, size
  end
  return self.tokens[text].from, size
end

local function linked(self, request)
  local text = self:read(request, LINK_PARAMETER)
  local found = text and self.tokens[text]
  if not found then
    return 0, self:size_of(request)
  end
  return found.from, found.size
end

positions.link, positions.next_url = linked, linked

--- The number in the position's place, counted from 0.
local function counted(self, request, start)
  local place = declared.own_place(self.paging)
  local text = self:read(request, place)
  local number = text and text:find("^%d+$") and tonumber(text)
  if not number or number < start then
    self:complain("expected a number of at least %d at %s, got %s", start, request_maker.describe(place),
      tostring(text))
    return 0
  end
  return number - start
end

function positions.page(self, request)
  local size = self:size_of(request)
  return counted(self, request, self.paging.start or 1) * size, size
end

function positions.offset(self, request)
  return counted(self, request, self.paging.start or 0), self:size_of(request)
end

--- The slot of a user, the first of several; nil if there is no user of that name.
local function slot_of(self, text)
  for number = 1, self.plan.count do
    local user = self.plan.slot and self.plan.slot(number) or not self.plan.slot and number
    if user and token_key(self.paging, self:name_of(user)) == text then
      return number
    end
  end
end

function positions.after(self, request)
  local size = self:size_of(request)
  local before = self.paging.before and self:read_token(request, self.paging.before)
  local text = before or self:read_token(request, declared.own_place(self.paging))
  if text == nil then
    return 0, size
  end
  local slot = slot_of(self, text)
  if not slot then
    self:complain("expected what names an item of the page before, got %s", text:sub(1, 80))
    return 0, size
  elseif before then
    local from = math.max(0, slot - 1 - size)
    return from, slot - 1 - from, true
  end
  return slot, size
end

-- -- responses ----------------------------------------------------------------------------------

--- The value that names a user in paging by the last item.
function Directory:name_of(number)
  return self.plan.token and self.plan.token(number) or directory.id(number)
end

--- One user, with the collection's own field names.
function Directory:item(number)
  local collection, item = self.collection, {}
  local id = pointers.of(collection.id or "id")
  local named = self.paging.type == "after" and self.paging.item or nil
  named = type(named) == "table" and named[1] or named
  document.put(item, id, named == id and self:name_of(number) or directory.id(number))
  if named and named ~= id then
    local good, problem = document.put(item, named, self:name_of(number))
    if not good then
      self:complain("paging.item: %s", problem)
    end
  end
  for name, rule in pairs(collection.fields or {}) do
    if type(rule) == "string" and rule ~= "" and pointers.get(item, rule) == nil then
      document.put(item, rule, ("%s of %d"):format(name, number))
    end
  end
  return item
end

--- The token of the page that begins after this many slots.
function Directory:token_of(from, size)
  local text = self.plan.token and self.plan.token(from) or ("page-%d"):format(from)
  self.tokens[token_key(self.paging, text)] = { from = from, size = size }
  return text
end

function Directory:link_to(from, size)
  local text = self:token_of(from, size)
  local target = ("%s?%s=%s"):format(self.path, LINK_PARAMETER, url.encode(text))
  return self.plan.is_relative and target or (self.plan.origin or self.setup.origin()) .. target
end

--- Puts a value into an answer: a member of the body, or a header. `nil` puts nothing.
local function say(self, answer, source, value, what)
  if source == nil or value == nil then
    return
  elseif type(source) == "table" then
    if value ~= core.null then
      answer.headers[#answer.headers + 1] = ("%s: %s"):format(source.header,
        type(value) == "number" and ("%.14g"):format(value) or tostring(value))
    end
    return
  end
  local good, problem = document.put(answer.root, source, value)
  if not good then
    self:complain("paging.%s: %s", what, problem)
  end
end

local tellers = {}

function tellers.none() end

--- The token or the URL of the next page, or what marks the last one.
local function next_value(self, page, make)
  local ending = self.plan.ending or directory.endings(self.paging)[1]
  if page.following then
    return make(self, page.following, page.size)
  elseif ending == "null" then
    return core.null
  elseif ending == "blank" then
    return ""
  elseif ending == "more" or ending == "empty_page" then
    return make(self, self.plan.count, page.size)
  end
  return ending and ending:match("^final (.*)$") or nil
end

local function previous_value(self, page, make)
  if page.from <= 0 then
    return nil
  end
  return make(self, math.max(0, page.from - page.size), page.size)
end

local function tell_next(make)
  return function(self, answer, page)
    say(self, answer, self.paging.next, next_value(self, page, make), "next")
    say(self, answer, self.paging.previous, previous_value(self, page, make), "previous")
    say(self, answer, self.paging.more, page.following ~= nil or self.plan.is_unsure or false, "more")
  end
end

tellers.cursor = tell_next(Directory.token_of)
tellers.next_url = tell_next(Directory.link_to)

function tellers.link(self, answer, page)
  local links = { '<https://example.com/help>; rel="help"' }
  local following = next_value(self, page, Directory.link_to)
  if type(following) == "string" and following ~= "" then
    links[#links + 1] = ('<%s>; rel="%s"'):format(following, self.paging.rel or "next")
  end
  local previous = self.paging.previous and previous_value(self, page, Directory.link_to)
  if previous then
    links[#links + 1] = ('<%s>; rel="%s"'):format(previous, self.paging.previous)
  end
  answer.headers[#answer.headers + 1] = "Link: " .. table.concat(links, ", ")
  say(self, answer, self.paging.more, page.following ~= nil, "more")
end

local function tell_counts(self, answer, page)
  if self.plan.is_silent then
    return
  end
  local paging, count = self.paging, math.min(self.plan.count, 1000)
  say(self, answer, paging.pages, math.ceil(count / page.size), "pages")
  say(self, answer, paging.more, page.following ~= nil, "more")
  say(self, answer, paging.last, page.following == nil, "last")
end

tellers.page, tellers.offset = tell_counts, tell_counts

function tellers.after(self, answer, page)
  local is_more = page.following ~= nil
  if page.is_before then
    is_more = page.from > 0
  end
  say(self, answer, self.paging.more, is_more, "more")
end

--- The users of a page, and where the next one begins.
function Directory:page(from, size)
  local plan = self.plan
  local last = math.min(from + size, plan.count)
  local users = {}
  for number = from + 1, last do
    users[#users + 1] = plan.slot and plan.slot(number) or not plan.slot and number or nil
  end
  local following = last < plan.count and last or nil
  if plan.leads then
    following = plan.leads(from, following)
  end
  return users, following
end

function Directory:answer(request)
  self:check(request)
  local from, size, is_before = positions[self.paging.type](self, request)
  if self.plan.ignores then
    from = 0
  end
  local users, following = self:page(from, size)
  local items = {}
  for i, number in ipairs(users) do
    items[i] = self:item(number)
  end
  local list = document.array(items)
  if #items == 0 and self.plan.instead then
    list = self.plan.instead == "null" and core.null or nil
  end
  local answer = { root = self.collection.items == "" and list or {}, headers = {} }
  if self.collection.items ~= "" then
    document.put(answer.root, self.collection.items, list)
  end
  if not self.plan.is_silent then
    say(self, answer, self.paging.total, math.min(self.plan.count, 1000), "total")
  end
  tellers[self.paging.type](self, answer, { from = from, size = size, following = following, is_before = is_before })
  self.log[#self.log + 1] = { request = request, users = #users }
  return { headers = answer.headers, body = document.encode(answer.root, #self.log % 2 == 0) }
end

--- The server's handler.
---@param request rollcall.ServerRequest
---@return rollcall.ServerResponse
function Directory:handle(request)
  if self.token_path and request.path == self.token_path then
    return self:give_token(request)
  elseif request.path ~= self.path then
    self:complain("expected the path %s, got %s", self.path, request.path)
    return { status = 404, body = '{"message":"nothing is here"}' }
  end
  local response = self:refusal(request) or self:answer(request)
  self.requests = (self.requests or 0) + 1
  return self.plan.answer and self.plan.answer(response, self.requests, request) or response
end

return directory
