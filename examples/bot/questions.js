// The questions. A real bot fetches them from somewhere; these few are enough to play.

export const QUESTIONS = [
  { question: 'Which planet is closest to the sun?', answers: ['mercury'] },
  { question: 'How many sides has a hexagon?', answers: ['6', 'six'] },
  { question: 'Which metal is liquid at room temperature?', answers: ['mercury', 'quicksilver'] },
  { question: 'Which ocean lies between Africa and Australia?', answers: ['indian', 'indian ocean'] },
  { question: 'What is the square root of 144?', answers: ['12', 'twelve'] },
  { question: 'Which gas do plants take in?', answers: ['carbon dioxide', 'co2'] },
  { question: 'Which instrument has 88 keys?', answers: ['piano', 'the piano'] },
  { question: 'Which is the longest bone of the human body?', answers: ['femur', 'thigh bone'] },
  { question: 'Which element has the symbol Fe?', answers: ['iron'] },
  { question: 'How many strings has a violin?', answers: ['4', 'four'] },
  { question: 'What is the capital of Canada?', answers: ['ottawa'] },
  { question: 'Which animal is the largest on earth?', answers: ['blue whale', 'the blue whale'] },
];

export function isRight({ answers }, text) {
  return answers.includes(text.trim().toLowerCase());
}
