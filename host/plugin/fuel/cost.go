package fuel

// Version numbers the cost table and the placement of charges. A module rewritten under one version burns other units under
// another, so budgets and caches of rewritten modules belong to a version. docs/formats/fuel.md has the table.
const Version = 1

// Costs in units; one unit is about one simple instruction. The tables in opcode.go have the others.
const (
	costDivide   = 8  // integer division and remainder
	costIndirect = 12 // call_indirect; covers a small callee, which does not charge for itself
	costImport   = 60 // a call of an imported function: it leaves to the host
	costHost     = 60 // memory.grow, table.grow, ref.func: they leave to the host, too
	costBulk     = 12 // memory.copy and the like, before their length

	bulkShift      = 3       // memory.copy, fill, init: one unit per 8 bytes
	pageUnits      = 1 << 13 // memory.grow: one page is 8,192 times 8 bytes
	tableElemUnits = 1       // table.copy, fill, init, grow: one unit an element
)

// Placement. A charge covers the code that its position dominates, within one loop level; code that may be left out
// (an arm of an if, what follows a conditional exit) is paid in advance up to spareUnits per charge and then gets its own.
const (
	spareUnits = 16
	// smallUnits bounds functions that neither charge nor test: no loop, no call out, no bulk instruction. Direct callers pay
	// for them.
	smallUnits = 48
	// gapUnits bounds what runs between two tests on any path through one function, and what one charge pays.
	gapUnits = 2048
	// exitUnits bounds what runs between the last test and the return, so that unwinding deep recursion is bounded as well.
	exitUnits = 128
)
