-- A terminal of a spec's own, of tmux, whose screen can be read and whose keys can be typed.
--
--   local terminal = require("spec.support.terminal").open("nvim", { columns = 80, lines = 24 })
--   terminal:await "a pattern of Lua's"
--   terminal:type(":quit", "Enter")
--   terminal:close()
--
-- Where the command has ended, the screen says "[ended STATUS]".

local command = require "spec.support.command"

local Terminal = {}
Terminal.__index = Terminal

local terminal = {}

--- Can one be had here?
terminal.is_there = command.has_terminals

--- Types a line of a shell in a new one.
---@param line string
---@param size { columns: integer?, lines: integer? }? 100 times 24 by default
function terminal.open(line, size)
  size = size or {}
  -- A server of tmux's for each: an old one may still be on its way out.
  local self = setmetatable({ socket = os.tmpname(), script = os.tmpname() }, Terminal)
  os.remove(self.socket)
  command.write(self.script, line .. "\necho \"[ended $?]\"\nsleep 60\n")
  assert(command.shell(("tmux -S %s -f /dev/null new-session -d -x %d -y %d 'sh %s'"):format(self.socket,
    size.columns or 100, size.lines or 24, self.script)) == "")
  return self
end

--- What it shows: lines without the spaces at their ends.
---@param with_colours boolean? with the escape sequences of bold and colours
function Terminal:screen(with_colours)
  return (command.shell(("tmux -S %s capture-pane -p%s 2>&1"):format(self.socket, with_colours and " -e" or "")))
end

--- Waits until the screen shows a pattern; answers the screen.
function Terminal:await(pattern)
  local shown
  for _ = 1, 600 do
    shown = self:screen()
    if shown:find(pattern) then
      return shown
    end
    os.execute "sleep 0.05"
  end
  error(("the screen never showed %s:\n%s"):format(pattern, shown), 2)
end

--- Types texts, and keys by tmux's names for them, such as "Enter" or "C-c".
function Terminal:type(...)
  local words = {}
  for i = 1, select("#", ...) do
    words[i] = command.quote((select(i, ...)))
  end
  command.shell(("tmux -S %s send-keys %s"):format(self.socket, table.concat(words, " ")))
end

function Terminal:close()
  command.shell(("tmux -S %s kill-server"):format(self.socket))
  os.remove(self.socket)
  os.remove(self.script)
end

return terminal
