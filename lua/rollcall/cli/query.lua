-- What sources are asked for: all users, unless their configuration or the command line says otherwise.

local failure = require "rollcall.cli.failure"
local frozen = require "rollcall.provider.frozen"

local query = {}

--- The provider's declaration of a source's users.
---@return rollcall.ProviderCollection
local function users_of(source)
  return frozen.thaw(source.client.provider).users
end

--- The option by which a source names several accounts, or the like: its name for a single one, and for the list; nil
--- if it names none or one.
---@param source rollcall.cli.Source with its client
---@return string? single
---@return string? list
function query.list_option(source)
  for name, option in pairs(frozen.thaw(source.client.provider).options or {}) do
    if #(source.options[option.list] or {}) > 1 then
      return name, option.list
    end
  end
end

--- A string of the command line as a filter takes it. One that is no value of it stays a string, which the library
--- refuses.
local function convert(filter, text)
  if filter.format == "boolean" and (text == "true" or text == "false") then
    return text == "true"
  elseif filter.format == "integer" and text:find "^%-?%d+$" then
    return tonumber(text)
  end
  return text
end

--- A filter's value, from the strings given for it.
local function filter_value(source, name, filter, texts)
  if #texts == 1 then
    return convert(filter, texts[1])
  elseif not filter.list then
    failure.usage("--filter %s was given %d times, and %s takes one value of it", name, #texts, source.name)
  end
  local values = {}
  for i, text in ipairs(texts) do
    values[i] = convert(filter, text)
  end
  return values
end

--- What a source is asked for: all users, with everything there is of them, unless its configuration or the command
--- line says otherwise.
---@param source rollcall.cli.Source with its client
---@param given table<string, string[]> filters of the command line
---@return table query
---@return table<string, boolean> taken the names of `given` that the source knows
function query.of(source, given)
  local asked, taken = {}, {}
  local filters = users_of(source).filters or {}
  for name, filter in pairs(filters) do
    for _, value in ipairs(filter.enum or {}) do
      if value == "ALL" then
        asked[name] = value
      end
    end
    if name == "expand" and filter.list then
      asked[name] = filter.enum
    end
    if given[name] ~= nil then
      taken[name] = true
    end
  end
  for name, value in pairs(source.query) do
    asked[name] = value
  end
  for name in pairs(taken) do
    asked[name] = filter_value(source, name, filters[name], given[name])
  end
  return asked, taken
end

--- The page size that a source is asked for; nil for the server's own. And a notice about it.
---@param source rollcall.cli.Source with its client
---@param wanted integer users a page
---@return integer?
---@return string? notice
function query.page_size(source, wanted)
  local paging = users_of(source).paging
  if not paging.size then
    return nil, ("%s takes no page size: its pages are as they come"):format(source.name)
  elseif wanted > (paging.max_size or wanted) then
    return paging.max_size, ("%s takes no page size above %d: it is asked for that"):format(source.name,
      paging.max_size)
  end
  return wanted
end

--- The stream of a source's users. Ends the command if the provider does not take the query.
---@param source rollcall.cli.Source with its client
---@param asked table
---@return rollcall.Stream
function query.stream(source, asked)
  local good, made = pcall(source.client.users, source.client, asked)
  if not good then
    failure.usage("%s: %s", source.name, failure.plain(made))
  end
  return made
end

return query
