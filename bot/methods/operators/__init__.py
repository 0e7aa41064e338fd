"""Operations that several merge methods share: sparsify, elect signs, geometry on the sphere."""
