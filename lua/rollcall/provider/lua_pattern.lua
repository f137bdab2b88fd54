-- Lua patterns in a declaration.

--- What is wrong with a Lua pattern; nil if nothing is. Lua itself reports it only when a match gets there.
local function problem_of(pattern)
  local open, closed, captures, i = {}, {}, 0, 1 -- captures by number, in the order of their opening
  while i <= #pattern do
    local c, after = pattern:match("^(.)(.?)", i)
    local last = i
    if c == "%" then
      if after == "" or after == "b" and i + 3 > #pattern or after == "f" and pattern:sub(i + 2, i + 2) ~= "[" then
        return "a % that breaks off"
      elseif after:find "%d" and not closed[tonumber(after)] then
        return ("%%%s refers to no capture before it"):format(after)
      end
      last = after == "b" and i + 3 or i + 1
    elseif c == "[" then
      last = pattern:match("^%^?%]?()", i + 1) -- the first bracket closes nothing
      while last <= #pattern and pattern:sub(last, last) ~= "]" do
        last = last + (pattern:sub(last, last) == "%" and 2 or 1)
      end
      if last > #pattern then
        return "a [ without its ]"
      end
    elseif c == "(" or c == ")" then
      if c == "(" then
        captures = captures + 1
        open[#open + 1] = captures
      elseif #open == 0 then
        return "a ) without its ("
      else
        closed[table.remove(open)] = true
      end
    end
    i = last + 1
  end
  return #open > 0 and "a ( without its )" or nil
end

--- The schema of a Lua pattern.
---@type rollcall.Schema
return { type = "string", test = function(value)
  local problem = problem_of(value)
  if not problem then -- errors that Lua reports for every match
    local good, message = pcall(string.find, "", value)
    problem = not good and tostring(message) or nil
  end
  return not problem or "no Lua pattern: " .. problem
end }
