export * from 'progressive-storage/storage';
