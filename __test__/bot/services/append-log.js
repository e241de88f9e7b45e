export * from 'progressive-storage/append-log';
