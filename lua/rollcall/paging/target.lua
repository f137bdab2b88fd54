-- Next links: resolved, and restricted to the origin of the base URL, so that no token is sent elsewhere.

local url = require "rollcall.http.url"

local target = {}

--- The position of a reference in a response; nil, what is wrong, and the kind of the error.
---@param reference string
---@param from string the URL that it is relative to
---@param base string
---@return rollcall.Position?
---@return string? problem
---@return string? kind
function target.position(reference, from, base)
  if reference:find("%c") then
    return nil, "the next page's link has control characters in it"
  end
  local resolved = url.resolve(from, url.mend(reference)):gsub("#.*$", "")
  local parsed, problem = url.parse(resolved)
  if not parsed then
    return nil, "the next page's link is not one that can be followed: " .. problem
  end
  local here = url.origin(url.parse(base))
  if url.origin(parsed) ~= here then
    return nil, ("the next page's link leads to another origin, %s; the token is for %s alone, and nothing was sent "
      .. "there"):format(url.origin(parsed), here), "http"
  end
  return { url = resolved }
end

--- As page_token takes it and checkpoints save it.
function target.show(position)
  return position.url
end

--- The places of position and page size: a link is sent as it is, so it has none.
function target.places(paging)
  return { false, paging.size }
end

function target.first(_, query, base)
  if not query.page_token then
    return {}
  end
  local position, problem = target.position(query.page_token, base .. "/", base)
  return position, problem and problem:gsub("the next page's link", "the link")
end

function target.restore(saved, base)
  if saved.url == nil then
    return {}
  end
  return type(saved.url) == "string" and target.position(saved.url, base .. "/", base) or nil
end

--- The first page is requested by parameters, any other one by its URL alone.
function target.apply(paging, position, request, query)
  if position.url then
    request.url = position.url
  elseif paging.size and query.page_size then
    request:put(paging.size, query.page_size)
  end
end

return target
