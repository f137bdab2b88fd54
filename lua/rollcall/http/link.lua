-- Link headers (RFC 8288, section 3): a list of targets and their parameters.

local link = {}

---@class rollcall.Link
---@field target string a URI reference
---@field rel table<string, boolean> its relation types, in lower case
---@field anchor string? what the link is from, if not from the answer itself

--- The quoted string that begins at `at`, and the position after it; nil if it is not terminated.
local function quoted(text, at)
  local parts, i = {}, at + 1
  while true do
    local plain, stop, after = text:match('^([^"\\]*)(["\\])()', i)
    if not plain then
      return nil
    end
    parts[#parts + 1] = plain
    if stop == '"' then
      return table.concat(parts), after
    end
    parts[#parts + 1] = text:sub(after, after)
    i = after + 1
  end
end

--- The parameters of one link, from `at` on: by lower-case name, the first of each name, and the position after them;
--- nil if they cannot be parsed.
local function read_parameters(text, at)
  local parameters = {}
  while true do
    local after = text:match("^[ \t]*;[ \t]*()", at)
    if not after then
      return parameters, text:match("^[ \t]*()", at)
    end
    local name, behind = text:match("^([%w!#$%%&'*+.^_`|~-]+)[ \t]*()", after)
    at = behind or after
    local value_at = name and text:match("^=[ \t]*()", at)
    local value = ""
    if value_at and text:sub(value_at, value_at) == '"' then
      value, at = quoted(text, value_at)
      if not value then
        return nil
      end
    elseif value_at then
      value, at = text:match("^([^%s;,]*)()", value_at)
    end
    if name and parameters[name:lower()] == nil then
      parameters[name:lower()] = value
    end
  end
end

--- In two steps, since one pattern for both ends takes quadratic time on a long run of blanks.
local function trim(text)
  return text:sub((text:match("^%s*()"))):match("^(.*%S)") or ""
end

--- The links of a header's value, or of several joined by commas; nil if it cannot be parsed.
---@param text string
---@return rollcall.Link[]?
function link.parse(text)
  local links, at = {}, text:match("^[ \t,]*()")
  while at <= #text do
    local target, after = text:match("^<([^>]*)>()", at)
    if not target then
      return nil
    end
    local parameters, stop = read_parameters(text, after)
    if not parameters or stop <= #text and text:sub(stop, stop) ~= "," then
      return nil
    end
    local rel = {}
    for relation in (parameters.rel or ""):gmatch("%S+") do
      rel[relation:lower()] = true
    end
    links[#links + 1] = { target = trim(target), rel = rel, anchor = parameters.anchor }
    at = text:match("^[ \t,]*()", stop)
  end
  return links
end

--- The target of the first link of a relation type that has no anchor.
---@param links rollcall.Link[]
---@param relation string
---@return string?
function link.target(links, relation)
  for _, one in ipairs(links) do
    if one.rel[relation:lower()] and not one.anchor then
      return one.target
    end
  end
end

return link
