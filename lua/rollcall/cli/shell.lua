-- Runs programs.

local shell = {}

--- Quotes a word for a shell.
---@param word string
---@return string
function shell.quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- What a command line prints; nil and why it failed, without its output.
---@param line string for sh
---@return string? output
---@return string? problem
function shell.read(line)
  local process, problem = io.popen("(" .. line .. "\n)\nprintf '\\n%d' $?")
  if not process then
    return nil, tostring(problem)
  end
  local printed = process:read "*a"
  process:close()
  local output, status = (printed or ""):match "^(.*)\n(%d+)$" -- not every Lua's close returns the status
  if status ~= "0" then
    return nil, status and "it ended with status " .. status or "it did not end by itself"
  end
  return output
end

return shell
