-- The options of client:users and the like: checked before anything is sent, then turned into query parameters, headers
-- and body members.

local formats = require "rollcall.formats"
local paging_types = require "rollcall.paging"
local request = require "rollcall.http.request"
local schema = require "rollcall.schema"
local tables = require "rollcall.tables"

local query = {}

---@class rollcall.Query
---@field page_size integer? users per page; the provider's maximum by default
---@field limit integer? stop after this many users
---@field page_token string? begin at this page
---@field direction "forward"|"backward"? "backward" walks towards the first page, users reversed
---@field prefetch integer? pages to fetch ahead, 1 by default
---@field deadline number? seconds for the whole walk
---@field max_requests integer? for the whole walk; each attempt counts
---@field max_bytes integer? for the whole walk, as received
---@field resume string? a checkpoint to continue from
---@field concurrency integer? for a client with a list of accounts: how many are walked at a time, 16 by default
---@field on_error "raise"|"skip"|(fun(err: rollcall.Error, source: rollcall.Stream))|nil for such a client: what
---  happens when an account fails; see rollcall.MergeOptions
---@field status string? Tesouro: "ACTIVE", "INACTIVE", "INVITED" (of users) or "ALL"
---@field organization_type string? Tesouro's users
---@field organization_id string? Tesouro: a UUID
---@field parent_organization_id string? Tesouro's organizations: a UUID
---@field type string? Tesouro's organizations
---@field expand string[]|string|nil Dintero's users: "roles"
---@field search string? Dintero's users: in email and name; Okta: an expression
---@field country string? Dintero's accounts
---@field services string? Dintero's accounts
---@field name string? Dintero's roles
---@field include_deleted boolean? Dintero's roles
---@field filter string? GitHub: "2fa_disabled" or "all"; Okta and SCIM: an expression
---@field role string? GitHub: "admin", "member" or "all"
---@field q string? Okta: the beginning of a name or an email
---@field attributes string[]|string|nil SCIM: the ones to return
---@field excluded_attributes string[]|string|nil SCIM: the ones not to return
---@field sort_by string? Okta, SCIM
---@field sort_order string? Okta: "asc" or "desc"; SCIM: "ascending" or "descending"
---@field [string] any the filters of a custom provider, by name

local function no_control(value)
  return not value:find("%c") or "a control character in it"
end

local function matches(value, patterns)
  for _, pattern in ipairs(type(patterns) == "table" and patterns or { patterns }) do
    if value:find(pattern) then
      return true
    end
  end
  return false
end

local function scalar_node(filter)
  local format = filter.format and formats[filter.format]
  if format and format.type ~= "string" then
    return { type = format.type, min = filter.min, max = filter.max, enum = filter.enum }
  end
  return {
    type = "string",
    enum = filter.enum,
    expected = filter.expected or format and format.expected,
    test = function(value)
      local clean = no_control(value)
      if clean ~= true then
        return clean
      elseif filter.path and (value == "" or value == "." or value == "..") then
        return "it stands in a path; expected more than dots"
      elseif filter.header and not (filter.enum or format or filter.pattern) and value:find("^%s*$") then
        return "it stands in a header, which is not sent without a value"
      end
      return (not format or format.test(value)) and (not filter.pattern or matches(value, filter.pattern))
    end,
  }
end

--- The schema of a filter's value.
---@param filter rollcall.ProviderFilter
---@return rollcall.Schema
function query.filter_schema(filter)
  local one = scalar_node(filter)
  local required = filter.required and filter.default == nil
  if not filter.list then
    one.required = required
    return one
  end
  return {
    type = one.type .. "|table",
    required = required,
    values = one,
    test = function(value)
      if type(value) == "table" then
        return tables.is_list(value) or "expected a list, got a table with other keys"
      end
      return schema.check(value, one, "")[1] == nil or "expected a list of " .. schema.expected(one)
    end,
  }
end

-- Options that a walk of several accounts takes in addition, as a merge does.
query.multi_account_options = {
  concurrency = { type = "integer", min = 1, max = 1024 },
  on_error = { type = "string|function", expected = '"raise", "skip" or a function', test = function(value)
    return type(value) == "function" or value == "raise" or value == "skip"
  end },
}

--- The schema of a collection's query options.
---@param collection rollcall.ProviderCollection
---@return rollcall.Schema
function query.schema(collection)
  local paging = collection.paging
  local kind = paging_types[paging.type]
  local fields = {
    limit = { type = "integer", min = 0 },
    prefetch = { type = "integer", min = 0, max = 64 },
    deadline = { type = "number", min = 0, expected = "seconds" },
    max_requests = { type = "integer", min = 1 },
    max_bytes = { type = "integer", min = 1 },
    resume = { type = "string", expected = "a checkpoint" },
    direction = { type = "string", enum = kind.goes_back(paging) and { "forward", "backward" } or { "forward" } },
  }
  if paging.size then
    fields.page_size = { type = "integer", min = 1, max = paging.max_size }
  end
  if kind ~= paging_types.none then
    fields.page_token = { type = "string", test = function(value)
      local is_kept = paging.token == "json" -- JSON text may contain control characters, as white space
      return value ~= "" and (is_kept or no_control(value)) or "expected a page token"
    end }
  end
  for name, filter in pairs(collection.filters or {}) do
    fields[name] = query.filter_schema(filter)
  end
  return { type = "table", fields = fields }
end

--- Checks the options of one walk and raises, at `level`, with every mistake.
---@param collection rollcall.ProviderCollection
---@param options rollcall.Query?
---@param where string the start of the message, such as "tesouro:users"
---@param level integer
---@param is_of_several boolean? the walk is of several accounts
---@return rollcall.Query checked a copy, with defaults
function query.check(collection, options, where, level, is_of_several)
  local checked, node = {}, query.schema(collection)
  node.fields = is_of_several and tables.with(node.fields, query.multi_account_options) or node.fields
  local problems = schema.check(options or {}, node)
  if #problems == 0 then
    for name, value in pairs(options or {}) do
      checked[name] = tables.copy(value)
    end
    if checked.resume and checked.page_token then
      problems[1] = "resume and page_token exclude each other"
    elseif checked.direction == "backward" and not checked.page_token and not checked.resume then
      problems[1] = "direction: backward needs page_token, the page to begin at"
    end
  end
  if #problems > 0 then
    error(where .. ": " .. table.concat(problems, "; "), level + 1)
  end
  for name, filter in pairs(collection.filters or {}) do
    if checked[name] == nil then
      checked[name] = tables.copy(filter.default)
    end
  end
  checked.page_size = checked.page_size or collection.paging.max_size
  checked.prefetch = checked.prefetch or 1
  return checked
end

--- The template of a walk's requests: what the provider declares, and the filters of a checked query.
---@param collection rollcall.ProviderCollection
---@param headers table<string, string>? of the provider
---@param checked rollcall.Query
---@return rollcall.Request
function query.request(collection, headers, checked)
  local made = request.new(collection, headers)
  for _, name in ipairs(tables.keys(collection.filters or {})) do
    local filter, value = collection.filters[name], checked[name]
    if value ~= nil and not (type(value) == "table" and #value == 0) then
      if type(value) ~= "table" and filter.list == "array" then
        value = { value }
      end
      made:put(filter, value, filter.list)
    end
  end
  return made
end

--- The part of a checked query that a checkpoint is bound to.
---@param collection rollcall.ProviderCollection
---@param checked rollcall.Query
---@return table<string, any>
function query.identity(collection, checked)
  local identity = { page_size = checked.page_size, direction = checked.direction or "forward" }
  for name, filter in pairs(collection.filters or {}) do
    local value = checked[name]
    if type(value) == "table" and #value == 0 then
      value = nil -- the same request
    end
    identity[name] = filter.list and value ~= nil and type(value) ~= "table" and { value } or value
  end
  return identity
end

return query
