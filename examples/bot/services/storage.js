// Written by `progressive-storage adopt`; `progressive-storage revert` takes it back.
import { fileURLToPath } from 'node:url';
import { configure } from 'progressive-storage';

configure({ dataDir: fileURLToPath(new URL('../data', import.meta.url)) });

export * from 'progressive-storage/storage';
