/** `ringmesh/runtime/testing`: what tests of agents import. */

// One turn of one agent
export { type Answers, type FactOf, given, ok, scripted, type TurnSeen } from './actor/scenario.ts';
// A node whose world is in memory
export {
  type CrashPoint,
  type CrashRun,
  crashAfter,
  crashPointName,
  crashPoints,
  repeatable,
  type Seen,
  TestNode,
  type TestNodeOptions,
} from './actor/test-kit.ts';
// Several of them, and a wire that fails
export { TestMesh, type WireFaults } from './actor/test-mesh.ts';
// Time and chance that repeat
export { ManualClock, seededRandom } from './core/simulation.ts';
