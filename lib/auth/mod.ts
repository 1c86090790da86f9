/** Who may act: everything that transports call. Keys, tokens and passwords are behind this. */
export {
  type Account,
  deleteMe,
  getUser,
  me,
  type PublicUser,
  searchUsers,
  updateMe,
} from "./accounts.ts";
export {
  authenticate,
  introspect,
  type Introspection,
  issueTicket,
  noteRevocation,
  redeemTicket,
  syncRevocations,
} from "./access.ts";
export { isPassword, PASSWORD_CHARS, USERNAME } from "./account_rules.ts";
export { type AuthContext, type AuthOptions, createAuth } from "./context.ts";
export { type Keys, loadKeys } from "./keys.ts";
export type { Principal } from "./principal.ts";
export { listSessions, logout, revokeSession, type Session } from "./sessions.ts";
export { type Caller, guest, login, refresh, register, type SignInResult } from "./sign_in.ts";
export type { SignedIn } from "./tokens.ts";
