// Real PostgreSQL servers for tests, benchmarks, examples and scripts.

export { Authority, whyNoCertificates } from './certificates.mjs';
export { connect } from './client.mjs';
export { DATABASE, ROLES } from './cluster.mjs';
export { startNetwork, whyNoNetwork } from './network.mjs';
export { startPgbouncer, whyNoPgbouncer } from './pgbouncer.mjs';
export { findPrograms, whyNoServer } from './programs.mjs';
export { startProxy } from './proxy.mjs';
export { startServer, startStandby } from './server.mjs';
