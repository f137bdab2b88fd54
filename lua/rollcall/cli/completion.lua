-- The completion scripts for shells: argparse's, changed so that each also works by eval.

local completion = {}

completion.SHELLS = { "bash", "zsh", "fish" }

-- Values to offer for options that argparse must not restrict, since a list of several is one value.
local offered = setmetatable({}, { __mode = "k" })

-- A function in $fpath runs its file when it is first called; an evaluated one is registered instead.
local ZSH_END = [=[
if [[ $funcstack[1] == _rollcall ]]; then
  _rollcall "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
  compdef _rollcall rollcall
fi
]=]

-- argparse's script for bash has options and commands, but no arguments.
local BASH_SHELLS = ([[
        'completion')
            COMPREPLY=($(compgen -W "%s" -- "$cur"))
            ;;
]]):format(table.concat(completion.SHELLS, " "))

--- Has an option complete to these values; it may take others, too.
---@param option table argparse's
---@param values string[]
function completion.offer(option, values)
  offered[option] = values
end

--- Afterwards `root` cannot parse command lines any more.
---@param root table argparse's parser of the whole command
---@param shell "bash"|"zsh"|"fish"
---@return string
function completion.script(root, shell)
  for option, values in pairs(offered) do
    option:choices(values) -- argparse would accept only these
  end
  local script = root["get_" .. shell .. "_complete"](root)
  if shell == "zsh" then
    script = script:gsub("\n_rollcall%s*$", function()
      return "\n" .. ZSH_END
    end)
  elseif shell == "bash" then
    script = script:gsub('(    case "$cmd" in\n)', function(beginning)
      return beginning .. BASH_SHELLS
    end, 1)
  end
  return script
end

return completion
