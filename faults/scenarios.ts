import type { Scenario } from "./scenario.ts";
import { repeatedAnswers, rivalWishes } from "./scenarios/commanding.ts";
import { bridgeKilled, brokerLink, twoBridges } from "./scenarios/devices.ts";
import { lateWill, readingsStored, silentDevice } from "./scenarios/metering.ts";
import {
  busGap,
  goneOffline,
  joinsUnderLoad,
  removedReader,
  signedOut,
} from "./scenarios/reading.ts";
import {
  databaseRestart,
  lostAnswers,
  poison,
  politeLeave,
  removedSender,
  smallTalk,
} from "./scenarios/writing.ts";

/** Every directed scenario by its name. */
export const SCENARIOS: ReadonlyMap<string, Scenario> = new Map(
  [
    removedSender,
    poison,
    databaseRestart,
    lostAnswers,
    smallTalk,
    politeLeave,
    busGap,
    joinsUnderLoad,
    removedReader,
    signedOut,
    goneOffline,
    bridgeKilled,
    twoBridges,
    brokerLink,
    repeatedAnswers,
    rivalWishes,
    readingsStored,
    lateWill,
    silentDevice,
  ].map((scenario) => [scenario.name, scenario]),
);
