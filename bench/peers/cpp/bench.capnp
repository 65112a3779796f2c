# What the Cap'n Proto contestant's two sides say to each other.
@0xb0a1c9f2a7d3e451;

interface Work {
  echo @0 (data :Data) -> (data :Data);
  put @1 (data :Data) -> (number :UInt64, size :UInt64);
  item @2 (data :Data) -> stream;
  count @3 () -> (count :UInt64);
}
