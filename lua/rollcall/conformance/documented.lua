-- The conformance kit's comparison of a declaration with the requests and answers that the API's documentation shows. A
-- server of the kit replays them, and accepts only the documented requests.

local core = require "rollcall.core"
local declared = require "rollcall.paging.declared"
local declared_answer = require "rollcall.http.declared_answer"
local directory = require "rollcall.conformance.directory"
local document = require "rollcall.conformance.document"
local field_rules = require "rollcall.fields"
local json = require "rollcall.json"
local json_pointer = require "rollcall.pointer"
local schema = require "rollcall.schema"
local server = require "rollcall.conformance.server"
local tables = require "rollcall.tables"
local url = require "rollcall.http.url"

local documented = {}

---@class rollcall.DocumentedRequest
---@field method string
---@field origin string? as documented
---@field path string
---@field parameters { [1]: string, [2]: string }[]
---@field target string path and query

--- Parses a documented request, such as GET https://api.acme.example/people?limit=2; nil if it is none.
---@param text string
---@return rollcall.DocumentedRequest?
function documented.request(text)
  local method, rest = text:match("^(%u+)%s+(.*)$")
  rest = rest or text
  local origin, target = rest:match("^(https?://[^/?#]*)(.*)$")
  target = target or rest
  if target:find("[%s%c]") or target:sub(1, 1) ~= "/" then
    return nil
  end
  local path, query = target:match("^([^?]*)%??(.*)$")
  return { method = method or "GET", origin = origin, path = path, parameters = server.parameters(query),
    target = target }
end

--- Raises unless it holds.
local function need(holds, format, ...)
  if not holds then
    error({ message = format:format(...) }, 0)
  end
end

--- The items of an example: what is at the declared pointer, decoded.
local function items_of(kit, example)
  local root = json.decode(example.response)
  local items = json_pointer.get(root, kit.collection.items)
  return type(items) == "table" and items or {}, root
end

--- All items of all examples.
local function all_items(kit)
  local list = {}
  for _, example in ipairs(kit.examples) do
    for _, item in ipairs((items_of(kit, example))) do
      list[#list + 1] = item
    end
  end
  return list
end

--- Suggests pointers of a document instead of a misspelt one.
local function near(pointer, root, fits)
  local list, namesakes, last = {}, {}, pointer:match("/[^/]*$")
  document.each(root, function(found, value)
    if fits(value) and found ~= pointer then
      list[#list + 1] = found == "" and '"", the document itself' or found
      namesakes[#namesakes + 1] = last and found:match("/[^/]*$") == last and found or nil
    end
  end)
  local nearest = #list == 1 and list[1] or #namesakes == 1 and namesakes[1] or schema.nearest(pointer, list)
  if nearest then
    return ("; did you mean %s?"):format(nearest)
  elseif #list > 0 and #list <= 12 then
    return ("; it has %s"):format(table.concat(list, ", "))
  end
  return ""
end

local function is_list(value)
  return type(value) == "table" and type(value[1]) == "table"
end

local function find_items(kit)
  local collection = kit.collection
  for number, example in ipairs(kit.examples) do
    local decoder = core.decoder { items = collection.items }
    local good, problem = decoder:feed(example.response)
    if good then
      good, problem = decoder:finish()
    end
    local instead = problem and declared_answer.empty_words[problem.code]
    need(good or instead and declared.has(collection.empty, instead),
      "items: %s leads to no array of objects in example %d: %s%s",
      collection.items == "" and "the document itself" or collection.items, number, problem and problem.message or "",
      near(collection.items, json.decode(example.response), is_list))
  end
  need(#all_items(kit) > 0, "there is nobody in the examples; one of them must show an item")
end

local function find_ids(kit)
  local id, seen = kit.collection.id or "id", {}
  for _, item in ipairs(all_items(kit)) do
    local value = json_pointer.get(item, json_pointer.of(id))
    need(value ~= nil and value ~= core.null, "id: a documented item has no field %s%s", id,
      near(json_pointer.of(id), item, function(found)
        return type(found) == "string" or type(found) == "number"
      end))
    need(not seen[value], "id: two documented items have the same %s, %s", id, tostring(value))
    seen[value] = true
  end
end

--- Does one of a rule's pointers find something in a documented item?
local function is_shown(items, pointers)
  for _, item in ipairs(items) do
    for _, pointer in ipairs(pointers) do
      if json_pointer.get(item, pointer) ~= nil then
        return true
      end
    end
  end
  return #pointers == 0
end

local function find_fields(kit)
  local items, problems, unseen = all_items(kit), {}, {}
  for _, name in ipairs(kit.unseen) do
    unseen[name] = true
    if not (kit.collection.fields or {})[name] then
      problems[#problems + 1] = ("unseen: %s is none of its fields"):format(name)
    end
  end
  for _, name in ipairs(tables.keys(kit.collection.fields or {})) do
    local pointers = field_rules.pointers(kit.collection.fields[name])
    if not unseen[name] and not is_shown(items, pointers) then
      problems[#problems + 1] = ("fields.%s: no documented item has anything at %s%s"):format(name,
        table.concat(pointers, " or "), near(pointers[1], items[1], function()
          return true
        end))
    end
  end
  need(#problems == 0, "%s", table.concat(problems, "\n"))
end

--- The header name in a line.
local function name_of(line)
  return line:match("^%s*([^:%s]*)")
end

--- Does a documented answer have a header of this name?
local function has_header(example, name)
  for _, line in ipairs(example.headers or {}) do
    if name_of(line):lower() == name:lower() then
      return true
    end
  end
  return false
end

local function is_text(value)
  return type(value) == "string" or type(value) == "number" or value == core.null
end

-- Tests of the values at paging sources, for suggestions.
local LEADS = {
  next = is_text,
  more = function(value)
    return type(value) == "boolean"
  end,
  total = function(value)
    return type(value) == "number"
  end,
}
LEADS.last, LEADS.pages = LEADS.more, LEADS.total

--- Does a documented answer have anything at a source?
local function is_said(example, source)
  if type(source) == "table" then
    return has_header(example, source.header)
  end
  return json_pointer.get(json.decode(example.response), source) ~= nil
end

--- Suggests a header name from the examples instead of a misspelt one.
local function near_header(kit, name)
  local known = {}
  for _, example in ipairs(kit.examples) do
    for _, line in ipairs(example.headers or {}) do
      known[name_of(line)] = true
    end
  end
  local list = tables.keys(known)
  local nearest = schema.nearest(name, list)
  return nearest and ("; did you mean %s?"):format(nearest)
    or #list > 0 and "; they have " .. table.concat(list, ", ") or "; none of them has headers"
end

local function find_leads(kit)
  local problems, goes_on = {}, false
  for _, example in ipairs(kit.examples) do
    goes_on = goes_on or example.last ~= true
  end
  for _, key in ipairs(tables.keys(LEADS)) do
    local source, found = kit.paging[key], false
    for _, example in ipairs(kit.examples) do
      found = found or source ~= nil and is_said(example, source)
    end
    -- What leads to the next page may be missing on the last one.
    if source ~= nil and not found and (goes_on or key ~= "next") then
      problems[#problems + 1] = ("paging.%s: no documented answer has anything at %s%s"):format(key,
        type(source) == "table" and "header " .. source.header or source, type(source) == "table"
          and near_header(kit, source.header) or near(source, json.decode(kit.examples[1].response), LEADS[key]))
    end
  end
  need(#problems == 0, "%s", table.concat(problems, "\n"))
end

-- -- the replay --------------------------------------------------------------------------------

--- The value that a documented request has in a place; nil for none.
local function documented_at(example, asked, place)
  local name = type(place) == "string" and place or type(place) == "table" and place.query
  if name then
    for _, pair in ipairs(asked.parameters) do
      if pair[1] == name then
        return pair[2]
      end
    end
  elseif type(place) == "table" and place.body and example.body then
    return json_pointer.get(json.decode(example.body), place.body)
  end
end

local FROM_TEXT = {
  integer = tonumber,
  boolean = function(text)
    return text == "true"
  end,
}

--- The query of the walk to which the first documented request belongs.
local function query_of(kit, example, asked)
  local query, paging = { prefetch = 0 }, kit.paging
  local size = tonumber(paging.size and documented_at(example, asked, paging.size) or nil)
  if size then
    need(not paging.max_size or size <= paging.max_size, "paging.max_size is %d, and the documentation asks for %d",
      paging.max_size, size)
    query.page_size = size
  end
  if paging.type == "cursor" or paging.type == "after" then
    query.page_token = paging.token == "json" and json.written(example.body or "", paging.body, "json")
      or documented_at(example, asked, { query = paging.query, body = paging.body })
  end
  for name, filter in pairs(kit.collection.filters or {}) do
    local value = documented_at(example, asked, filter)
    if value ~= nil then
      value = type(value) == "string" and FROM_TEXT[filter.format] and FROM_TEXT[filter.format](value) or value
      query[name] = filter.list == "comma" and { value } or value
      if filter.list == "comma" and type(value) == "string" then
        query[name] = {}
        for one in value:gmatch("[^,]+") do
          table.insert(query[name], one)
        end
      end
    end
  end
  return query
end

--- The values of the {name}s of the collection's path in a documented path.
local function variables_of(kit, asked)
  local names = {}
  local template = (kit.setup.base_path .. kit.collection.path):gsub("[%-%.%%%+%*%?%^%$%(%)%[%]]", "%%%0")
    :gsub("{([%w_]*)}", function(name)
      names[#names + 1] = name
      return "([^/]+)"
    end)
  local values, variables = { asked.path:match("^" .. template .. "$") }, {}
  if #values < math.max(1, #names) then
    values = { (kit.setup.base_path .. asked.path):match("^" .. template .. "$") }
  end
  for i, name in ipairs(names) do
    local option = (kit.setup.provider.options or {})[name]
    local value = values[i] and url.decode(values[i])
    for _, pattern in ipairs(value and option and option.pattern or {}) do
      if value:find(pattern) then
        variables[name] = value
      end
    end
    for filter_name, filter in pairs(kit.collection.filters or {}) do
      if filter.path == name and value then
        variables[filter_name] = value
      end
    end
  end
  return variables
end

--- The parameters that a request may have besides the documented ones, since documentation leaves them out.
local function extras_of(kit, is_first)
  local known, paging = {}, kit.paging
  local function add(place)
    local name = type(place) == "table" and place.query or place
    if type(name) == "string" then
      known[name] = true
    end
  end
  add(paging.size)
  if is_first and (paging.type == "page" or paging.type == "offset") then
    add(paging.query)
  end
  for name in pairs(kit.collection.parameters or {}) do
    add(name)
  end
  for name, filter in pairs(kit.collection.filters or {}) do
    if filter.default ~= nil or kit.setup.query[name] ~= nil then
      add(filter.query and { query = filter.query .. (filter.list == "bracket" and "[]" or "") })
    end
  end
  return known
end

--- Adds what a documented body has and the sent one has not.
local function body_problems(expected, sent, path, problems)
  for key, value in pairs(expected) do
    local other = type(sent) == "table" and sent[key] or nil
    if type(value) == "table" then
      body_problems(value, other, path .. "/" .. tostring(key), problems)
    elseif other ~= value then
      problems[#problems + 1] = ("its body has %s at %s/%s, and the documentation %s"):format(
        other == nil and "nothing" or tostring(other), path, tostring(key), tostring(value))
    end
  end
end

--- The differences between a request and the documented one.
local function differences(kit, example, number, request)
  local asked, problems, sent = documented.request(example.request), {}, {}
  if request.method ~= asked.method then
    problems[1] = ("it sends %s, and the documentation %s"):format(request.method, asked.method)
  end
  local path = url.decode(request.path)
  if path ~= url.decode(asked.path) and path ~= kit.setup.base_path .. url.decode(asked.path) then
    problems[#problems + 1] = ("it asks for %s, and the documentation for %s"):format(request.path, asked.path)
  end
  for _, pair in ipairs(request.parameters) do
    sent[pair[1]] = sent[pair[1]] and sent[pair[1]] .. "," .. pair[2] or pair[2]
  end
  local wanted = {}
  for _, pair in ipairs(asked.parameters) do
    wanted[pair[1]] = wanted[pair[1]] and wanted[pair[1]] .. "," .. pair[2] or pair[2]
  end
  for _, name in ipairs(tables.keys(wanted)) do
    if sent[name] ~= wanted[name] then
      problems[#problems + 1] = ("it sends %s, and the documentation %s=%s"):format(
        sent[name] and ("%s=%s"):format(name, sent[name]) or "no " .. name, name, wanted[name])
    end
  end
  local extras = extras_of(kit, number == 1)
  for _, name in ipairs(tables.keys(sent)) do
    if wanted[name] == nil and (not extras[name] or #problems > 0) then
      problems[#problems + 1] = ("it sends %s=%s, of which the documentation has nothing"):format(name, sent[name])
    end
  end
  if example.body then
    body_problems(json.decode(example.body) or {}, json.decode(request.body) or {}, "", problems)
  end
  return problems
end

local function replace(text, old, new)
  return (text:gsub(old:gsub("%p", "%%%0"), (new:gsub("%%", "%%%%"))))
end

--- A documented answer, with its links changed to lead to the kit's server.
local function answer_of(kit, example, origins)
  local home = kit.walks.main.url
  local function at_home(text)
    for _, origin in ipairs(origins) do
      text = replace(replace(text, origin, home), origin:gsub("/", "\\/"), (home:gsub("/", "\\/")))
    end
    return text
  end
  local headers = {}
  for i, line in ipairs(example.headers or {}) do
    headers[i] = at_home(line)
  end
  return { headers = headers, body = at_home(example.response) }
end

--- The API's origins according to the provider and its documentation; the longest first.
local function origins_of(kit)
  local list = { kit.setup.home }
  for _, base in pairs(kit.setup.provider.base_url or {}) do
    list[#list + 1] = base:match("^%a+://[^/]*")
  end
  for _, example in ipairs(kit.examples) do
    list[#list + 1] = example.request and documented.request(example.request).origin
  end
  table.sort(list, function(a, b)
    return #a > #b
  end)
  return list
end

local function replay(kit)
  local examples = kit.examples
  local first = examples[1].request and documented.request(examples[1].request)
  local variables = first and variables_of(kit, first) or {}
  local query = first and query_of(kit, examples[1], first) or { prefetch = 0 }
  local options = {}
  for name, value in pairs(variables) do
    local map = (kit.setup.provider.options or {})[name] and options or query
    map[name] = value
  end
  local setup = tables.with(kit.setup, { variables = tables.with(kit.setup.variables, options) })
  local tokens, origins = directory.new(setup, { count = 0 }), origins_of(kit)
  local asked, problems, beyond = 0, nil, nil
  local walked = kit.walks:walk(function(request)
    if tokens.token_path and request.path == tokens.token_path then
      return tokens:give_token(request)
    end
    asked = asked + 1
    local example = examples[asked]
    if not example then
      beyond = beyond or request.method .. " " .. request.target
      return { status = 404, body = '{"message":"the documentation has no more"}' }
    end
    local found = example.request and differences(kit, example, asked, request) or {}
    if #found > 0 then
      problems = problems or ("request %d: %s"):format(asked, table.concat(found, "; "))
      return { status = 404, body = '{"message":"the documentation has another request"}' }
    end
    return answer_of(kit, example, origins)
  end, query, nil, options)
  need(not problems, "%s", problems)
  local count, last = #examples, examples[#examples]
  if beyond then
    need(last.last ~= true, "it goes on behind page %d, which the documentation calls the last one, by %s", count,
      beyond)
  else
    need(not walked.err, "%s", tostring(walked.err))
    need(asked >= count, "it ends with page %d, and the documentation goes on%s", asked,
      examples[asked + 1] and examples[asked + 1].request and ", by " .. examples[asked + 1].request or "")
    need(last.last ~= false, "it ends with page %d, which the documentation does not call the last one", count)
  end
  need(#walked.ids == #all_items(kit), "expected the %d documented items, got %d", #all_items(kit), #walked.ids)
end

--- Is one of the documented pages the last one?
function documented.shows_end(kit)
  for _, example in ipairs(kit.examples) do
    if example.last then
      return true
    end
  end
  return false
end

--- In the order that reports a mistake best.
documented.cases = {
  { name = "finds the items of the documented answers", run = find_items },
  { name = "knows the documented items by their ids", run = find_ids },
  { name = "finds the common fields in the documented items", run = find_fields },
  { name = "finds what leads on in the documented answers", run = find_leads },
  { name = "asks for the documented pages, and ends where the documentation does", run = replay },
}

return documented
